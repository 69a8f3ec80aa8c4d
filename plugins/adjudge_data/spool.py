"""Problems and the like kept in a temporary file: read once from wherever they come, then as often as needed, and never held in memory."""

from __future__ import annotations

import os
import pickle
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from tempfile import TemporaryFile, gettempdir
from typing import IO, Any, TypeVar, overload

from adjudge import DataError, Dataset, JobError, Problem, boundary

Item = TypeVar("Item")
IN_MEMORY = 1 << 22
"""Bytes up to which no file is made."""


class Spool(Sequence[Item]):
    """Items in order, as a sequence that is read from its file; of each, 8 bytes are held. Threads and forked processes may share it.

    Raises `JobError` where the folder of temporary files has no room."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.renamed: Mapping[int, str] = {}
        """Ids in place of an item's own, by its place."""
        self._ends = array("q", [0])
        self._last: tuple[int, Any] = (-1, None)  # a problem is asked for again for each of its paths
        self._file: IO[bytes] = BytesIO()
        for item in items:
            data = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
            with _told_if_full():
                self._write(data)
        with _told_if_full():
            self._file.flush()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))
        if isinstance(self._file, BytesIO) and self._ends[-1] > IN_MEMORY:
            held, self._file = self._file, TemporaryFile()  # noqa: SIM115  it lives as long as this does
            weakref.finalize(self, _close, self._file)
            self._file.write(held.getbuffer())

    def _at(self, place: int) -> Item:
        if (last := self._last)[0] != place:
            start, end = self._ends[place : place + 2]
            if isinstance(self._file, BytesIO):
                data: Any = self._file.getbuffer()[start:end]
            else:  # a read that moves no position, which others share
                data = os.pread(self._file.fileno(), end - start, start)
            self._last = last = place, pickle.loads(data)
        item: Item = last[1]
        return replace(item, id=self.renamed[place]) if place in self.renamed else item  # type: ignore[type-var]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Item]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        places = range(len(self))[place]
        return [self._at(one) for one in places] if isinstance(places, range) else self._at(places)


def spooled(items: Iterable[Item], where: str) -> Spool[Item]:
    """The items, all of them read; `DataError` when there is none."""
    found = Spool(items)
    if not found:
        raise DataError(f"{where}: the data set is empty.\n  Remedy: check the file and the options that choose rows.")
    return found


def problems_of(dataset: Dataset, where: str) -> Sequence[Problem]:
    """All problems of a data set, which no list holds unless it is the data set's own; `DataError` when there is none."""
    with boundary(dataset, "load"):
        found = dataset.load()
        return found if isinstance(found, Sequence) and found else spooled(found, where)


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # there was no room for the last of it
        file.close()


@contextmanager
def _told_if_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Remedy: make room, or let TMPDIR name a folder with as much room as the data take."
        raise JobError(f"{gettempdir()}, where data sets are kept while they are used: {error.strerror}.\n  {remedy}") from error
