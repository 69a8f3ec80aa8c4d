"""Problems kept in a temporary file: read once from wherever they come, and then as often as needed without being held in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import overload

from adjudge import Problem

PART, IN_MEMORY = 128, 1 << 22
"""Problems that are read at once, and bytes up to which no file is made."""


class Spool(Sequence[Problem]):
    """Problems in order, as a sequence; what is held of each is a share of an offset."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  it lives as long as this does
        self.starts: list[int] = []
        self.size = 0
        self.renamed: Mapping[int, str] = {}
        """Ids in place of a problem's own, by its place."""
        self.held: tuple[int, list[Problem]] = (-1, [])
        """The part that was read last."""
        part: list[Problem] = []
        for problem in problems:
            part.append(problem)
            if len(part) == PART:
                self._write(part)
                part = []
        if part:
            self._write(part)

    def _write(self, part: list[Problem]) -> None:
        self.starts.append(self.file.tell())
        pickle.dump(part, self.file, pickle.HIGHEST_PROTOCOL)
        self.size += len(part)

    def _part(self, number: int) -> list[Problem]:
        if self.held[0] != number:
            self.file.seek(self.starts[number])
            self.held = number, pickle.load(self.file)
        return self.held[1]

    def _at(self, place: int) -> Problem:
        problem = self._part(place // PART)[place % PART]
        return replace(problem, id=self.renamed[place]) if place in self.renamed else problem

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Problem]:
        return map(self._at, range(self.size))

    @overload
    def __getitem__(self, place: int) -> Problem: ...

    @overload
    def __getitem__(self, place: slice) -> list[Problem]: ...

    def __getitem__(self, place: int | slice) -> Problem | list[Problem]:
        if isinstance(place, slice):
            return [self._at(one) for one in range(self.size)[place]]
        return self._at(range(self.size)[place])
