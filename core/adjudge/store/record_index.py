"""Where each record of a file stands, by its id: an index beside the file, which can always be made again from it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Set
from functools import lru_cache
from io import BufferedReader
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from adjudge.api.values import Json

from .files import append_whole, told_if_full

ENTRY = np.dtype([("key", "<u8"), ("rest", "<u8"), ("offset", "<i8"), ("size", "<u4"), ("failed", "<u4")])
"""A hash of the id in two halves, where the line begins and how long it is, in bytes, and whether its call failed."""
PACKED, LOW = struct.Struct("<16sqII"), 0xFFFFFFFF
FEW = 1 << 13
"""Entries in a dictionary before they are sorted in among the others, which take a tenth of the memory."""
INDEXED = 256
"""Entries that are written together: no more lines than that are read again when a file is opened, as long as nobody changes it by hand."""
in_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class RecordIndex(Set[Json]):
    """The ids of a record file, and where their records stand, which have numbers in the order of the file.

    Of each record 8 bytes are held, half of its key and its number; its entry is read from the index's file where it is written there."""

    def __init__(self, file: FilePath, index: FilePath, *, write: bool = True) -> None:
        self.file, self.index, self._writes = file, index, write
        self.failed = 0  # records whose call failed
        self.end = 0  # bytes of the file that are indexed
        self._new: dict[bytes, int] = {}
        self._sorted = array("Q")
        self._entries: Any = None  # the index's file stays open: another one may be put in its place
        self._written = 0
        self._waiting = bytearray()  # entries that are not written
        self._lines: BufferedReader | None = None
        if index.exists():
            self._load()

    def _load(self) -> None:
        entries = np.fromfile(self.index, ENTRY, self.index.stat().st_size // PACKED.size)
        ends = np.cumsum(entries["size"], dtype="<i8")
        self._entries, self._written = self.index.open("ab+" if self._writes else "rb", buffering=0), len(entries)
        # Every line up to the last one has its entry, and the last one is where it should be: else the file was changed by hand.
        if (entries["offset"] == ends - entries["size"]).all() and self._last_is(entries[-1:].tobytes()):
            self._sort(entries["key"])
            self.failed, self.end = int(entries["failed"].sum()), int(ends[-1])
        else:
            self._entries, self._written = None, 0
            if self._writes:
                self.index.unlink()

    def _last_is(self, entry: bytes) -> bool:
        try:
            return _hash(in_line(self.row(len(self) - 1)["id"])) == entry[:16]
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return False

    def _sort(self, keys: Any) -> None:
        """Sort in the keys of the newest records, in place."""
        numbers: Any = np.arange(len(self._sorted), len(self), dtype="<u8")
        self._sorted.frombytes((keys >> np.uint64(32) << np.uint64(32) | numbers).tobytes())
        np.frombuffer(self._sorted, "<u8").sort()
        self._new = {}

    def add(self, ident: Json, offset: int, size: int, failed: bool) -> None:
        """Know of a record; its entry is written together with others."""
        self._new[key := _hash(in_line(ident))] = len(self)
        self._waiting += PACKED.pack(key, offset, size, failed)
        self.failed, self.end = self.failed + failed, offset + size
        if len(self._new) >= FEW:
            self._sort(np.frombuffer(b"".join(self._new), "<u8")[::2])
        if len(self._waiting) >= INDEXED * PACKED.size:
            self.write()

    def write(self) -> None:
        """Write down the entries that wait; those that a killed process could not are made again from the lines behind the last one."""
        if not (self._writes and self._waiting):
            return
        with told_if_full(self.index):
            self._entries = self._entries or self.index.open("ab+", buffering=0)
            self._writes = self._entries.seek(0, os.SEEK_END) < (self._written + 1) * PACKED.size  # else another one writes it, too
            if self._writes:
                self._entries.truncate(self._written * PACKED.size)
                append_whole(self._entries, bytes(self._waiting))
                self._written, self._waiting = len(self), bytearray()

    def number(self, ident: Json) -> int | None:
        """The record's number; None where there is none."""
        key = _hash(in_line(ident))
        if (found := self._new.get(key)) is not None:
            return found
        first = int.from_bytes(key[4:8], "little")
        for place in range(bisect_left(self._sorted, first << 32), len(self._sorted)):
            if (one := self._sorted[place]) >> 32 != first:
                break
            if self._entry(one & LOW)[:16] == key:
                return one & LOW
        return None

    def _entry(self, number: int) -> bytes:
        if (place := (number - self._written) * PACKED.size) >= 0:
            return bytes(self._waiting[place : place + PACKED.size])
        self._entries.seek(number * PACKED.size)
        return bytes(self._entries.read(PACKED.size))

    def row(self, number: int) -> dict[str, Json]:
        """The record of this number, as its line has it."""
        _, offset, size, _ = PACKED.unpack(self._entry(number))
        self._lines = self._lines or self.file.open("rb")
        self._lines.seek(offset)
        return json.loads(self._lines.read(size))  # type: ignore[no-any-return]

    def __contains__(self, ident: object) -> bool:
        return self.number(ident) is not None

    def __len__(self) -> int:
        return self._written + len(self._waiting) // PACKED.size

    def __iter__(self) -> Iterator[Json]:
        return (self.row(number)["id"] for number in range(len(self)))


@lru_cache(2)
def _hash(ident: str) -> bytes:
    """Of the id's JSON; asked twice for each record, once whether it is there and once where it goes."""
    return hashlib.blake2b(ident.encode(errors="surrogatepass"), digest_size=16).digest()
