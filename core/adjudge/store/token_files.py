"""Numbers of every token, a row for each completion, in Arrow files beside a record file; the newest rows wait in a tail."""

from __future__ import annotations

import io
import json
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from pydantic_core import to_json

from adjudge.api.values import Json
from adjudge.errors import ConfigError

from .files import append_whole, told_if_full

Columns = dict[str, Any]
"""One-dimensional arrays by name: ``token_ids`` (int32), ``ends`` (int32, as differences), ``logprobs`` and statistics (float32)."""
FULL = 1 << 23
"""Bytes of a tail that becomes a file."""
BATCH = 1 << 16
"""Tokens of a file's record batch, which is what reading one row costs."""
KEPT = 64
"""Record batches, and open files, that a reader keeps."""
FIELDS = {"token_ids": np.dtype("<i4"), "ends": np.dtype("<i4"), "logprobs": (SINGLE := np.dtype("<f4"))}


@cache
def can_keep_tokens() -> bool:
    """Whether token numbers go to files of their own; without pyarrow they stay in the lines of the records."""
    return find_spec("pyarrow") is not None


def taken_out(completion: dict[str, Json]) -> Columns:
    """Take its token numbers out of a completion's row, and leave their count; nothing is taken that would not come back the same."""
    numbers = {name: completion.get(name) for name in FIELDS}
    numbers |= {f"statistics.{name}": values for name, values in (completion.get("statistics") or {}).items()}
    try:
        found = {name: _numbers(values, FIELDS.get(name, SINGLE)) for name, values in numbers.items() if values is not None and len(values)}
    except (OverflowError, struct.error):
        return {}
    if "ends" in found and (ends := _differences(found["ends"])) is None:
        return {}
    completion["tokens"] = len(completion.get("token_ids") or ())
    for name in (*FIELDS, "statistics"):
        completion.pop(name, None)
    return found | ({"ends": ends} if "ends" in found else {})


def put_back(columns: Columns) -> dict[str, Any]:
    """Fields of a `Completion` from a row of token numbers, in Python's own numbers."""
    found: dict[str, Any] = {}
    for name, values in columns.items():
        numbers = tuple((_ends(values) if name == "ends" else values).tolist())
        if name.startswith("statistics."):
            found.setdefault("statistics", {})[name.removeprefix("statistics.")] = numbers
        else:
            found["token_ends" if name == "ends" else name] = numbers
    return found


def _numbers(values: Any, kind: Any) -> Any:
    if isinstance(values, tuple | list):  # twice as fast as numpy's own way
        return np.frombuffer(struct.pack(f"<{len(values)}{kind.char}", *values), kind)
    return np.asarray(values, kind)


def _differences(ends: Any) -> Any:
    """Where each token ends, as the characters that it writes, -1 for none at all; None where ends go back."""
    written = ends.copy()
    written[1:] -= ends[:-1]
    if written.min() >= 0:
        return written
    silent = ends < 0
    filled = np.maximum.accumulate(np.where(silent, 0, ends))
    if not (silent | (filled == ends)).all() or (ends < -1).any():
        return None
    written = np.diff(filled, prepend=0)
    written[silent] = -1
    return written.astype("<i4")


def _ends(written: Any) -> Any:
    silent = written < 0
    ends = np.cumsum(np.where(silent, 0, written))
    ends[silent] = -1
    return ends


class TokenFiles:
    """A folder of rows, numbered from 0: ``<first row>.arrow`` with rows that are there for good, ``<first row>.tail`` with the newest.

    A row is in its file when `append` returns. A tail becomes an Arrow file once it is full, or on `close`."""

    def __init__(self, folder: FilePath) -> None:
        self.folder = folder
        self.first, self.size = 0, 0
        """The number of the tail's first row, and the tail's bytes."""
        self._tail: list[tuple[str, Columns]] = []
        self._out: io.FileIO | None = None
        self._file = lru_cache(KEPT)(lambda start: _File(folder / f"{start:012}.arrow"))
        self._batch = lru_cache(KEPT)(lambda start, number: self._file(start).batch(number))
        self._look()

    def _look(self) -> None:
        """See what there is; behind the tail's last whole row is what a killed process did not finish."""
        self.starts: list[int] = sorted(int(file.stem) for file in self.folder.glob("*.arrow"))
        self.first = self.starts[-1] + self._file(self.starts[-1]).rows if self.starts else 0
        self._tail, self.size = [], 0
        file = self._tail_file()
        for row, self.size in _rows_in(file.read_bytes() if file.exists() else b""):
            self._tail.append(row)

    def _tail_file(self) -> FilePath:
        return self.folder / f"{self.first:012}.tail"

    def append(self, ident: str, columns: Columns) -> int:
        """The number of the row that these columns are now."""
        head = to_json({"id": ident, "columns": [(name, values.dtype.str, len(values)) for name, values in columns.items()]})
        data = b"".join([head, b"\n", *columns.values()])
        if self._out is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._out = self._tail_file().open("ab", buffering=0)
            self._out.truncate(self.size)
        append_whole(self._out, data, self.size)
        self._tail.append((ident, columns))
        self.size += len(data)
        row = self.first + len(self._tail) - 1
        if self.size >= FULL:
            self.close()
        return row

    def close(self) -> None:
        """Make an Arrow file of the tail."""
        self._out = None
        if not self._tail:
            return
        file, tail = self.folder / f"{self.first:012}.arrow", self._tail_file()
        partial = file.with_suffix(".partial")
        with told_if_full(file):
            _write(partial, self._tail)
            partial.rename(file)  # from here on it counts, and the tail of the same number does not
            tail.unlink(missing_ok=True)
        self.starts.append(self.first)
        self.first, self.size, self._tail = self.first + len(self._tail), 0, []

    def read(self, row: int) -> Columns:
        """The columns of a row. Raises `ConfigError` where it is not there."""
        for _ in range(2):  # somebody else may have written since, and just now have made a file of the tail
            if row >= self.first + len(self._tail) or (row < self.first and not self.starts):
                self._look()
        if row >= self.first and (row - self.first) < len(self._tail):
            return self._tail[row - self.first][1]
        if row >= self.first or not self.starts or row < self.starts[0]:
            raise ConfigError(f"{self.folder} has no row {row}.\n  Remedy: bring the folder back, or delete it and its record file.")
        start = self.starts[bisect_right(self.starts, row) - 1]
        file = self._file(start)
        number = bisect_right(file.starts, row - start) - 1
        return _row_of(self._batch(start, number), row - start - file.starts[number])

    def __iter__(self) -> Iterator[tuple[str, Columns]]:
        """Every row with the id of its record, in the order in which they were written."""
        self._look()
        for start in self.starts:
            file = self._file(start)
            for number in range(len(file.starts)):
                batch = file.batch(number)
                for index, ident in enumerate(batch[0]):
                    yield ident, _row_of(batch, index)
        yield from self._tail


class _File:
    """An Arrow file of rows, of which a record batch is read at a time."""

    def __init__(self, file: FilePath) -> None:
        import pyarrow as pa

        self._opened = pa.ipc.open_file(pa.OSFile(str(file)))  # mapped, all that was read would count as memory
        told = json.loads(self._opened.schema.metadata[b"adjudge"])
        self.starts: list[int] = told["starts"]
        self.rows: int = told["rows"]

    def batch(self, number: int) -> tuple[list[str], dict[str, tuple[Any, Any, Any]]]:
        """Ids, and for each column its numbers, where each row begins in them, and which rows have none."""
        batch = self._opened.get_batch(number)
        columns = {name: batch.column(index) for index, name in enumerate(batch.schema.names)}
        ids = columns.pop("id").to_pylist()
        return ids, {name: (_seen(one.values), _seen(one.offsets), one.is_null().to_pylist()) for name, one in columns.items()}


def _seen(array: Any) -> Any:
    """An Arrow array of numbers as numpy's, without pyarrow's own way, which would import pandas where there is one."""
    return np.frombuffer(array.buffers()[1] or b"", array.type.to_pandas_dtype(), len(array), array.offset * array.type.byte_width)


def _row_of(batch: tuple[list[str], Mapping[str, tuple[Any, Any, Any]]], index: int) -> Columns:
    return {name: values[offsets[index] : offsets[index + 1]] for name, (values, offsets, null) in batch[1].items() if not null[index]}


def _rows_in(data: bytes) -> Iterator[tuple[tuple[str, Columns], int]]:
    """The whole rows of a tail, and where each ends."""
    place = 0
    while (stop := data.find(b"\n", place)) >= 0:
        head, place = json.loads(data[place:stop]), stop + 1
        columns: Columns = {}
        for name, kind, size in head["columns"]:
            end = place + size * np.dtype(kind).itemsize
            if end > len(data):
                return
            columns[name] = np.frombuffer(data, kind, size, place)
            place = end
        yield (head["id"], columns), place


def _write(file: FilePath, rows: Sequence[tuple[str, Columns]]) -> None:
    """Rows as an Arrow file, compressed, in batches of about `BATCH` tokens."""
    import pyarrow as pa

    names = sorted({name for _, columns in rows for name in columns}, key=lambda name: (name not in FIELDS, name))
    tokens = np.cumsum([max(map(len, columns.values()), default=0) for _, columns in rows])
    starts = [0, *(np.flatnonzero(np.diff(tokens // BATCH)) + 1).tolist()]
    lists = [_list_array(pa, name, [columns.get(name) for _, columns in rows]) for name in names]
    ids = [ident.encode() for ident, _ in rows]
    buffers = [None, *map(pa.py_buffer, (np.cumsum([0, *map(len, ids)], dtype="<i4"), b"".join(ids)))]
    batch = pa.record_batch([pa.Array.from_buffers(pa.string(), len(ids), buffers), *lists], ["id", *names])
    schema = batch.schema.with_metadata({"adjudge": json.dumps({"starts": starts, "rows": len(rows)})})
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            writer.write_batch(batch.slice(start, end - start))


def _list_array(pa: Any, name: str, values: Sequence[Any]) -> Any:
    """A column; where every token of these rows ends within 2 ** 15 characters of the one before, half the room says so."""
    flat = np.concatenate([one for one in values if one is not None])
    flat = flat.astype("<i2") if name == "ends" and flat.max(initial=0) < 1 << 15 else flat
    numbers = pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])
    there = pa.py_buffer(np.packbits([one is not None for one in values], bitorder="little"))
    offsets = pa.py_buffer(np.cumsum([0, *(0 if one is None else len(one) for one in values)], dtype="<i4"))
    return pa.Array.from_buffers(pa.list_(numbers.type), len(values), [there, offsets], children=[numbers])
