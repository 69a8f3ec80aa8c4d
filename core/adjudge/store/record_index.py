"""Where each record of a file stands, by its id: an index beside the file, which can always be made again from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Set
from functools import lru_cache
from io import BufferedReader
from pathlib import Path as FilePath
from struct import Struct
from typing import Any

import numpy as np

from adjudge.api.values import Json

ENTRY = np.dtype([("key", "<u8"), ("rest", "<u8"), ("offset", "<i8"), ("size", "<u4"), ("failed", "<u4")])
"""A hash of the id in two halves, where the line begins and how long it is, in bytes, and whether its call failed."""
PACKED = Struct("<QQqII")
FEW = 1 << 16
"""Entries in a dictionary before they are sorted in among the others, which take a sixth of the memory."""


class RecordIndex(Set[Json]):
    """The ids of a record file, and where their records stand."""

    def __init__(self, file: FilePath, index: FilePath) -> None:
        self.file, self.index = file, index
        self.useless = False
        """Whether the index's file says something else than its record file, and is to be written anew."""
        self.failed = 0
        """Records whose call failed."""
        self._new: dict[tuple[int, int], tuple[int, int]] = {}
        self._sorted: Any = np.empty(0, ENTRY)
        self._lines: BufferedReader | None = None
        self.end = 0
        """Bytes of the file that are indexed."""
        if index.exists():
            self._load()

    def _load(self) -> None:
        whole = self.index.stat().st_size // ENTRY.itemsize
        entries = np.fromfile(self.index, ENTRY, whole)
        in_order = (entries["offset"][1:] > entries["offset"][:-1]).all()
        by_place = entries if in_order else entries[np.unique(entries["offset"], return_index=True)[1]]
        ends = by_place["offset"] + by_place["size"]
        # Every line up to the last one has its entry, and the last one is where it should be: else the file was changed by hand.
        if whole and (by_place["offset"] == np.concatenate([[0], ends[:-1]])).all() and self._fits(by_place[-1]):
            self._sorted = _sorted(by_place)
            self.failed = int(by_place["failed"].sum())
            self.end = int(ends[-1])
        self.useless = not self.end

    def _fits(self, entry: Any) -> bool:
        try:
            return _key(self.row_at(int(entry["offset"]), int(entry["size"]))["id"]) == (int(entry["key"]), int(entry["rest"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def add(self, ident: Json, offset: int, size: int, failed: bool) -> bytes:
        """Know of a record; returns its entry, to be appended to the index's file."""
        key = _key(ident)
        self._new[key] = (offset, size)
        self.failed += failed
        self.end = offset + size
        if len(self._new) >= FEW:
            new = np.array([(*key, *place, 0) for key, place in self._new.items()], ENTRY)
            self._sorted, self._new = _sorted(np.concatenate([self._sorted, new])), {}
        return PACKED.pack(*key, offset, size, failed)

    def place(self, ident: Json) -> tuple[int, int] | None:
        """Offset and size of the record's line; None where there is none."""
        key = _key(ident)
        if (found := self._new.get(key)) is not None:
            return found
        keys = self._sorted["key"]
        at = int(np.searchsorted(keys, np.uint64(key[0])))
        while at < len(keys) and int(keys[at]) == key[0]:
            if int(self._sorted[at]["rest"]) == key[1]:
                return int(self._sorted[at]["offset"]), int(self._sorted[at]["size"])
            at += 1
        return None

    def row_at(self, offset: int, size: int) -> dict[str, Json]:
        """The record that stands there, as its line has it."""
        self._lines = self._lines or self.file.open("rb")
        self._lines.seek(offset)
        return json.loads(self._lines.read(size))  # type: ignore[no-any-return]

    def __contains__(self, ident: object) -> bool:
        return self.place(ident) is not None

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def __iter__(self) -> Iterator[Json]:
        return (self.row_at(*place)["id"] for place in sorted([*self._sorted[["offset", "size"]].tolist(), *self._new.values()]))


@lru_cache(2)
def _hash(ident: str) -> tuple[int, int]:
    """Of the id's JSON; asked twice for each record, once whether it is there and once where it goes."""
    digest = hashlib.blake2b(ident.encode(errors="surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _key(ident: Json) -> tuple[int, int]:
    return _hash(json.dumps(ident, ensure_ascii=False))


def _sorted(entries: Any) -> Any:
    """By key, each once."""
    entries = entries[np.argsort(entries["key"], kind="stable")]
    again = (entries["key"][1:] == entries["key"][:-1]) & (entries["rest"][1:] == entries["rest"][:-1])
    return entries[np.concatenate([[True], ~again])] if again.any() else entries
