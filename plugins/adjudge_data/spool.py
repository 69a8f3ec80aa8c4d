"""Problems and the like kept in a temporary file: read once from wherever they come, then as often as needed, and never held in memory."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar, overload

Item = TypeVar("Item")
PART, IN_MEMORY = 128, 1 << 22
"""Items that are read at once, and bytes up to which no file is made."""


class Spool(Sequence[Item]):
    """Items in order, as a sequence; what is held of each is a share of an offset. `part` is 1 where they are read out of order."""

    def __init__(self, items: Iterable[Item], part: int = PART) -> None:
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  it lives as long as this does
        self.per_part = part
        self.starts = array("q")
        self.size = 0
        self.renamed: Mapping[int, str] = {}
        """Ids in place of an item's own, by its place."""
        self.held: tuple[int, list[Item]] = (-1, [])
        """The part that was read last."""
        left = iter(items)
        while some := list(islice(left, part)):
            self._write(some)

    def _write(self, part: list[Item]) -> None:
        self.starts.append(self.file.tell())
        pickle.dump(part, self.file, pickle.HIGHEST_PROTOCOL)
        self.size += len(part)

    def _part(self, number: int) -> list[Item]:
        if self.held[0] != number:
            self.file.seek(self.starts[number])
            self.held = number, pickle.load(self.file)
        return self.held[1]

    def _at(self, place: int) -> Item:
        item: Any = self._part(place // self.per_part)[place % self.per_part]
        return replace(item, id=self.renamed[place]) if place in self.renamed else item  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Item]:
        return map(self._at, range(self.size))

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        if isinstance(place, slice):
            return [self._at(one) for one in range(self.size)[place]]
        return self._at(range(self.size)[place])
