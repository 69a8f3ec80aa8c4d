"""Numbers of every token, a row for each completion, in Arrow files beside a record file; the newest rows wait in tails."""

from __future__ import annotations

import io
import json
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from importlib.util import find_spec
from math import isfinite
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from pydantic_core import to_json

from adjudge.api.values import Json
from adjudge.errors import ConfigError

from .files import append_whole, told_if_full

Columns = dict[str, Any]
"""One-dimensional arrays by name: ``token_ids``, ``token_ends`` (int32; ``steps`` in Arrow files), ``logprobs``, statistics (float32)."""
ENDS: dict[str, Any] = {
    "steps": lambda steps: np.cumsum(steps, dtype="<i4"),
    "ends": lambda written: np.where(written < 0, -1, np.cumsum(np.maximum(written, 0))),
}
"""What makes ``token_ends`` of the column of this name: of steps from one to the next, or of earlier versions' characters, -1 for none."""
FULL = 1 << 23
"""Bytes of a tail that becomes a file."""
BATCH = 1 << 16
"""Tokens of a file's record batch, which is what reading one row costs."""
KEPT = 64
"""Record batches, and open files, that a reader keeps."""
struct_of = lru_cache(1 << 12)(lambda count, kind: struct.Struct(f"{count}{kind}"))
FIELDS = {"token_ids": (WHOLE := np.dtype("<i4")), "token_ends": WHOLE, "ends": WHOLE, "logprobs": (SINGLE := np.dtype("<f4"))}


@cache
def can_keep_tokens() -> bool:
    """Whether token numbers go to files of their own; without pyarrow they stay in the lines of the records."""
    return find_spec("pyarrow") is not None


def taken_out(completion: dict[str, Json]) -> dict[str, bytes]:
    """Take its token numbers out of a completion's row, and leave their count; nothing is taken that would not come back the same."""
    numbers = {"token_ids": completion.get("token_ids"), "token_ends": completion.get("ends"), "logprobs": completion.get("logprobs")}
    numbers |= {f"statistics.{name}": values for name, values in (completion.get("statistics") or {}).items()}
    try:
        found = {name: _packed(values, FIELDS.get(name, SINGLE)) for name, values in numbers.items() if values is not None and len(values)}
    except (OverflowError, struct.error):
        return {}
    completion["tokens"] = len(completion.get("token_ids") or ())
    for name in (*FIELDS, "statistics"):
        completion.pop(name, None)
    return found


def put_back(columns: Columns) -> dict[str, Any]:
    """Fields of a `Completion` from a row of token numbers, in Python's own numbers."""
    found: dict[str, Any] = {}
    for name, values in columns.items():
        numbers = tuple((ENDS[name](values) if name in ENDS else values).tolist())
        if name.startswith("statistics."):
            found.setdefault("statistics", {})[name.removeprefix("statistics.")] = numbers
        else:
            found["token_ends" if name in ENDS else name] = numbers
    return found


def _packed(values: Any, kind: Any) -> bytes:
    numbers = values if isinstance(values, tuple | list) else np.asarray(values, kind).tolist()
    data = struct_of(len(numbers), kind.char).pack(*numbers)  # several times as fast as numpy; struct.pack would count references
    if kind is SINGLE and not (isfinite((seen := np.frombuffer(data, kind)).dot(seen)) or np.isfinite(seen).all()):
        raise OverflowError
    return data


class TokenFiles:
    """A folder of rows, numbered from 0: ``<first row>.arrow`` with rows that are there for good, ``<first row>.tail`` with the newest.

    A row is in its file when `append` returns. A tail becomes an Arrow file on `close`, or while more is written, once it is full."""

    def __init__(self, folder: FilePath) -> None:
        self.folder = folder
        self._making: Future[int] | None = None
        self._file = lru_cache(KEPT)(lambda start: _File(folder / f"{start:012}.arrow"))
        self._batch = lru_cache(KEPT)(lambda start, number: self._file(start).batch(number))
        self._look()

    def _look(self) -> None:
        """See what there is; behind a tail's last whole row is what a killed process did not finish."""
        self._made()
        tails = sorted(self.folder.glob("*.tail"))
        self.starts: list[int] = sorted(int(file.stem) for file in self.folder.glob("*.arrow"))
        self.first = self.starts[-1] + self._file(self.starts[-1]).rows if self.starts else 0
        self._tail: list[tuple[str, dict[str, bytes]]] = []  # as files have them, 4 bytes a number
        self._out: io.FileIO | None = None  # the newest tail, where this has begun one
        self.size = 0  # bytes of all tails
        for file in tails:
            if int(file.stem) == self.first + len(self._tail):  # else an Arrow file has its rows
                try:
                    self._tail += _rows_in(data := file.read_bytes())
                except FileNotFoundError:  # somebody has just made an Arrow file of it
                    return self._look()
                self.size += len(data)

    def append(self, ident: str, columns: dict[str, bytes]) -> int:
        """The number of the row that these columns are now."""
        head = to_json({"id": ident, "columns": [(name, FIELDS.get(name, SINGLE).char, len(data) // 4) for name, data in columns.items()]})
        data = b"".join([head, b"\n", *columns.values()])
        if self._out is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            # a new file that was truncated, ext4 would send to the disk when it is closed, and it is deleted soon
            self._out = (self.folder / f"{self.first + len(self._tail):012}.tail").open("wb", buffering=0)
        append_whole(self._out, data)
        self._tail.append((ident, columns))
        self.size += len(data)
        row = self.first + len(self._tail) - 1
        if self.size >= FULL:
            self.close(wait=False)
        return row

    def close(self, *, wait: bool = True) -> None:
        """Make an Arrow file of the tails, in a thread: whoever does not wait for it goes on in a tail of its own."""
        self._made()
        self._out, self.size = None, 0
        if self._tail:
            thread = ThreadPoolExecutor(1)
            self._making = thread.submit(_write, self.folder, self.first, self._tail[:])
            thread.shutdown(wait=False)
        if wait:
            self._made()

    def _made(self) -> None:
        """Let go of the rows that an Arrow file has by now; raises what went wrong with it, and they stay in their tails."""
        making, self._making = self._making, None
        if making is not None:
            rows = making.result()
            self.starts.append(self.first)
            self.first, self._tail = self.first + rows, self._tail[rows:]

    def read(self, row: int) -> Columns:
        """The columns of a row. Raises `ConfigError` where it is not there."""
        for _ in range(2):  # somebody else may have written since, and just now have made a file of the tail
            if row >= self.first + len(self._tail) or (row < self.first and not self.starts):
                self._look()
        if row >= self.first and (row - self.first) < len(self._tail):
            packed = self._tail[row - self.first][1]
            return {name: np.frombuffer(data, FIELDS.get(name, SINGLE)) for name, data in packed.items()}
        if row >= self.first or not self.starts or row < self.starts[0]:
            raise ConfigError(f"{self.folder} has no row {row}.\n  Remedy: bring the folder back, or delete it and its record file.")
        start = self.starts[bisect_right(self.starts, row) - 1]
        file = self._file(start)
        number = bisect_right(file.starts, row - start) - 1
        return _row_of(self._batch(start, number), row - start - file.starts[number])

    def __iter__(self) -> Iterator[tuple[str, Columns]]:
        """Every row with the id of its record, in the order in which they were written."""
        self._look()
        for file in map(self._file, self.starts):
            for batch in map(file.batch, range(len(file.starts))):
                yield from ((ident, _row_of(batch, index)) for index, ident in enumerate(batch[0]))
        yield from ((ident, self.read(row)) for row, (ident, _) in enumerate(self._tail, self.first))


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


def _rows_in(data: bytes) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The whole rows of a tail."""
    place = 0
    while (stop := data.find(b"\n", place)) >= 0:
        head, place = json.loads(data[place:stop]), stop + 1
        columns: dict[str, bytes] = {}
        for name, _, size in head["columns"]:
            columns[name], place = data[place : place + 4 * size], place + 4 * size
        if place > len(data):
            return
        yield head["id"], columns


def _write(folder: FilePath, first: int, rows: Sequence[tuple[str, dict[str, bytes]]]) -> int:
    """Rows from this number on as an Arrow file, compressed, in batches of about `BATCH` tokens; returns how many they are."""
    import pyarrow as pa

    names = sorted({name for _, columns in rows for name in columns}, key=lambda name: (name not in FIELDS, name))
    tokens = np.cumsum([len(next(iter(columns.values()))) // 4 for _, columns in rows])
    starts = [0, *(np.flatnonzero(np.diff(tokens // BATCH)) + 1).tolist()]
    lists = dict(_list_array(pa, name, [columns.get(name) for _, columns in rows]) for name in names)
    ids = [ident.encode() for ident, _ in rows]
    buffers = [None, *map(pa.py_buffer, (np.cumsum([0, *map(len, ids)], dtype="<i4"), b"".join(ids)))]
    batch = pa.record_batch([pa.Array.from_buffers(pa.string(), len(ids), buffers), *lists.values()], ["id", *lists])
    schema = batch.schema.with_metadata({"adjudge": json.dumps({"starts": starts, "rows": len(rows)})})
    file = folder / f"{first:012}.arrow"
    with told_if_full(file):
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(file.with_suffix(".partial")), "wb") as out, pa.ipc.new_file(out, schema, options=options) as writer:
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                writer.write_batch(batch.slice(start, end - start))
        file.with_suffix(".partial").rename(file)  # from here on it counts, and the tails of its rows do not
        for tail in folder.glob("*.tail"):
            if int(tail.stem) < first + len(rows):
                tail.unlink()
    return len(rows)


def _list_array(pa: Any, name: str, values: Sequence[Any]) -> tuple[str, Any]:
    """A column, and what it is called in an Arrow file."""
    flat = np.frombuffer(b"".join(filter(None, values)), FIELDS.get(name, SINGLE))
    offsets = np.cumsum([0, *(len(one or b"") // 4 for one in values)], dtype="<i4")
    if name == "token_ends":
        name, firsts, ends = "steps", offsets[:-1][np.diff(offsets) > 0], flat
        flat = np.ediff1d(ends, to_begin=ends[:1])
        flat[firsts] = ends[firsts]
        flat = flat.astype("<i2") if flat.min() >= -(1 << 15) and flat.max() < 1 << 15 else flat
    numbers = pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])
    there = pa.py_buffer(np.packbits([one is not None for one in values], bitorder="little"))
    return name, pa.Array.from_buffers(pa.list_(numbers.type), len(values), [there, pa.py_buffer(offsets)], children=[numbers])
