"""Judgements as a run recorded them, with the numbers of every token, as one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, DataError, JobError, tokens_back

PLAIN = ("id", "problem_id", "order", "outcome", "right", "prompt", "label")
ROWS = 1000
"""Rows of a row group; no more are held at a time."""


def write_paths(source: FilePath, records: str | None, out: FilePath | None) -> int:
    """Write the paths of a record file, or of a folder's `records`, and return how many there are.

    A row has what its line has, and ``token_ids``, ``token_ends`` and ``logprobs`` (in nats, single precision).
    """
    if out is None or out.suffix != ".parquet":
        raise ConfigError("--to parquet: --out names no Parquet file.\n  Remedy: add --out paths.parquet.")
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(f"{out}: a Parquet file needs pyarrow.\n  Remedy: pip install 'adjudge[data]'.") from None
    file = source if source.is_file() else source / "records" / f"{records}.jsonl"
    if not file.is_file():
        there = ", ".join(sorted(one.stem for one in (source / "records").glob("*.jsonl"))) or "none"
        raise ConfigError(f"--records: {source} has no records {records!r}; there are: {there}.\n  Remedy: name one of them.")
    texts, numbers = pa.list_(pa.string()), pa.list_(pa.int32())
    schema = pa.schema(
        [(name, pa.bool_() if name == "right" else pa.string()) for name in PLAIN]
        + [("index", pa.int32()), ("shown", texts), ("text", pa.string()), ("truncated", pa.bool_()), ("error", pa.string())]
        + [
            ("reasoning", numbers),
            ("answer", numbers),
            ("token_ids", numbers),
            ("token_ends", numbers),
            ("logprobs", pa.list_(pa.float32())),
        ]
    )
    partial, count = out.with_name(out.name + ".partial"), 0
    rows = _rows(file)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(partial, schema) as writer:
            while group := list(islice(rows, ROWS)):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                count += len(group)
        partial.replace(out)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.\n  Remedy: name a file that can be.") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _rows(file: FilePath) -> Iterator[dict[str, Any]]:
    joined = tokens_back(file)
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = joined(json.loads(line))
            if not isinstance(made := row.get("completion"), dict):
                raise DataError(f"{file}: line {number} has no 'completion', so it is no path.\n  Remedy: name records of paths.")
            yield {
                **{name: row.get(name) for name in (*PLAIN, "index", "shown")},
                **{name: made.get(name) for name in ("text", "truncated", "error", "token_ids", "logprobs")},
                **{name: row["verdict"].get(name) for name in ("reasoning", "answer")},
                "token_ends": made.get("ends"),
            }
