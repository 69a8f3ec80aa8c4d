"""Rows of Parquet and Arrow files, batch by batch, and of the folders that `datasets` writes with ``save_to_disk``.

`datasets` stores a column of mixed types as JSON, or a field of messages whose content is a text here and a list of parts there: the text
``plain`` is quoted there, and the text ``42`` is not. Both are read as the texts that they were; what was the text ``null`` cannot be told
from nothing any more. (datasets 5.2 itself makes numbers of some texts, and pandas keeps the quotes.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError

from .byte_streams import missing
from .texts import Placed

SUFFIXES = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}
ROWS_AT_ONCE = 256
JSON = "arrow.json"
"""What Arrow calls the type of a cell that holds JSON."""


def rows_of_columns(file: FilePath, kind: str) -> Iterator[Placed]:
    """Every row of a file of columns of this kind, such as ``.parquet``; few are read at once."""
    try:
        import pyarrow
    except ImportError:
        raise missing(f"{file}, a file of {SUFFIXES[kind]},", "pyarrow") from None
    try:
        number = 0
        for batch in _of_parquet(file) if kind == ".parquet" else _of_arrow(file):
            stored = {field.name: field.type for field in batch.schema if JSON in str(field.type)}
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", {**row, **{name: _read(row[name], kind) for name, kind in stored.items()}}
    except FileNotFoundError:
        raise DataError(f"{file}: no such file.\n  Remedy: check the path.") from None
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{file}: cannot be read as {SUFFIXES[kind]}: {error}.\n  Remedy: check the path, or copy the file again."
        ) from None


def saved_files(folder: FilePath) -> list[FilePath] | None:
    """The Arrow files of a folder that `datasets` wrote; None for another folder."""
    if (splits := folder / "dataset_dict.json").is_file():
        names = _described(splits).get("splits") or []
        raise DataError(
            f"{folder}: holds several splits ({', '.join(map(str, names))}).\n  Remedy: name one, such as {folder / str(names[0])}"
        )
    if not (state := folder / "state.json").is_file() or "_data_files" not in (found := _described(state)):
        return None
    if found.get("_indices_data_files"):
        raise DataError(f"{folder}: holds a selection of rows as indices.\n  Remedy: write it again with save_to_disk of today's datasets.")
    return [folder / one["filename"] for one in found["_data_files"]]


def _described(file: FilePath) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read: {error}.\n  Remedy: copy the folder again.") from None
    return found if isinstance(found, dict) else {}


def _of_parquet(file: FilePath) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(file, memory_map=True) as opened:
        yield from opened.iter_batches(batch_size=ROWS_AT_ONCE)


def _of_arrow(file: FilePath) -> Iterator[Any]:
    """Batches of the stream that `datasets` writes, or of a file with an index, which Feather is too."""
    from pyarrow import ipc, memory_map

    with memory_map(str(file)) as source:
        indexed = source.read(6) == b"ARROW1"
        source.seek(0)
        if indexed:
            reader = ipc.open_file(source)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            batches = iter(ipc.open_stream(source))
        for batch in batches:
            yield from (batch.slice(start, ROWS_AT_ONCE) for start in range(0, batch.num_rows, ROWS_AT_ONCE))


def _read(value: Any, kind: Any) -> Any:
    """A value of this Arrow type, with what is stored as JSON anywhere in it read."""
    if isinstance(value, str) and getattr(kind, "extension_name", "") == JSON:
        return _plain(value)
    if isinstance(value, dict):
        return {name: _read(one, kind.field(name).type) for name, one in value.items()}
    return [_read(one, kind.value_type) for one in value] if isinstance(value, list) else value


def _plain(stored: str) -> Any:
    """What a cell of JSON holds; a number or a truth value stays the text that it may have been."""
    try:
        found = json.loads(stored)
    except ValueError:
        return stored
    return found if found is None or isinstance(found, str | list | dict) else stored
