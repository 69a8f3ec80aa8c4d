"""Where each record of a file stands, by its id: an index beside the file, which can always be made again from it."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Set
from functools import lru_cache
from io import BufferedReader
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from adjudge.api.values import Json

ENTRY = np.dtype([("key", "<u8"), ("rest", "<u8"), ("offset", "<i8"), ("size", "<u4"), ("failed", "<u4")])
"""A hash of the id in two halves, where the line begins and how long it is, in bytes, and whether its call failed."""
PACKED = struct.Struct("<QQqII")
KNOWN = np.dtype([("offset", "<i8"), ("size", "<u4"), ("rest", "<u4")])
"""What is held of a record, beside its key and its number: where its line is, and a quarter of the hash."""
PLACE = struct.Struct("<qII")
FEW = 1 << 14
"""Entries in a dictionary before they are sorted in among the others, which take a tenth of the memory."""
in_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class RecordIndex(Set[Json]):
    """The ids of a record file, and where their records stand, which have numbers in the order of the file."""

    def __init__(self, file: FilePath, index: FilePath) -> None:
        self.file, self.index = file, index
        self.useless = False
        """Whether the index's file says something else than its record file, and is to be written anew."""
        self.failed = 0
        """Records whose call failed."""
        self._new: dict[tuple[int, int], int] = {}
        self._keys: Any = np.empty(0, "<u8")  # sorted, and the number of each one's record
        self._numbers: Any = np.empty(0, "<u4")
        self._known = bytearray()
        self._lines: BufferedReader | None = None
        self.end = 0
        """Bytes of the file that are indexed."""
        if index.exists():
            self._load()

    def _load(self) -> None:
        entries = np.fromfile(self.index, ENTRY, self.index.stat().st_size // ENTRY.itemsize)
        ends = np.cumsum(entries["size"], dtype="<i8")
        self._known = bytearray(entries[["offset", "size", "rest"]].astype(KNOWN).tobytes())
        # Every line up to the last one has its entry, and the last one is where it should be: else the file was changed by hand.
        if (entries["offset"] == ends - entries["size"]).all() and self._last_is(entries[-1:]):
            self._sort(entries["key"])
            self.failed, self.end = int(entries["failed"].sum()), int(ends[-1])
        else:
            self.useless, self._known = True, bytearray()

    def _last_is(self, entry: Any) -> bool:
        try:
            return bool([_hash(in_line(self.row(len(self) - 1)["id"]))] == entry[["key", "rest"]].tolist())
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return False

    def _sort(self, keys: Any) -> None:
        """Sort in the keys of the newest records."""
        numbers = np.concatenate([self._numbers, np.arange(len(self) - len(keys), len(self), dtype="<u4")])
        order = np.argsort(keys := np.concatenate([self._keys, keys]))
        self._keys, self._numbers, self._new = keys[order], numbers[order], {}

    def add(self, ident: Json, offset: int, size: int, failed: bool) -> bytes:
        """Know of a record; returns its entry, to be appended to the index's file."""
        key, rest = _hash(in_line(ident))
        self._new[key, rest] = len(self)
        self._known += PLACE.pack(offset, size, rest & 0xFFFFFFFF)
        self.failed += failed
        self.end = offset + size
        if len(self._new) >= FEW:
            self._sort(np.array([key for key, _ in self._new], "<u8"))
        return PACKED.pack(key, rest, offset, size, failed)

    def number(self, ident: Json) -> int | None:
        """The record's number; None where there is none."""
        key, rest = _hash(in_line(ident))
        if (found := self._new.get((key, rest))) is not None:
            return found
        start, end = (self._keys.searchsorted(np.uint64(key), side) for side in ("left", "right"))
        numbers = map(int, self._numbers[start:end])
        return next((one for one in numbers if PLACE.unpack_from(self._known, PLACE.size * one)[2] == rest & 0xFFFFFFFF), None)

    def row(self, number: int) -> dict[str, Json]:
        """The record of this number, as its line has it."""
        offset, size, _ = PLACE.unpack_from(self._known, PLACE.size * number)
        self._lines = self._lines or self.file.open("rb")
        self._lines.seek(offset)
        return json.loads(self._lines.read(size))  # type: ignore[no-any-return]

    def __contains__(self, ident: object) -> bool:
        return self.number(ident) is not None

    def __len__(self) -> int:
        return len(self._known) // PLACE.size

    def __iter__(self) -> Iterator[Json]:
        return (self.row(number)["id"] for number in range(len(self)))


@lru_cache(2)
def _hash(ident: str) -> tuple[int, int]:
    """Of the id's JSON; asked twice for each record, once whether it is there and once where it goes."""
    digest = hashlib.blake2b(ident.encode(errors="surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
