"""The processes that work on a stage together: who is who, how they wait for each other, and how they share records without a loss.

They speak through the run folder alone, which every machine sees: sampling takes as long as it takes, and no collective of a
training library waits for it. Each process appends to a part file of its own; the main one joins the parts. Docs: decisions/0016.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from .records import Json
from .rundir import Record, Records

POLL = 0.02
"""Seconds between two looks at what the other processes have done."""
STOP = "stop"
"""File that stands in a crew's folder once all of them were asked to stop; it holds the number of the signal that asks them."""
END = "end"
"""Meeting at which a process is done, or after a stop has left; it is the last thing that it says."""
Written = Callable[[Mapping[str, Json]], None]


@dataclass
class Crew:
    """This process's place among those of its stage; alone, unless `launch` says otherwise."""

    rank: int = 0
    """From 0; the process of rank 0 is the main one, which writes records, models and results."""
    size: int = 1
    folder: FilePath = FilePath()
    """Where the processes of one launch leave their signs; no other launch has used it."""
    meetings: int = 0
    """How often they have waited for each other."""

    @property
    def main(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Go on once every process has come here. One that never comes is noticed by who launched them, and ends all."""
        self.meetings += 1
        if self.size > 1:
            self.meet(f"met-{self.meetings}")

    def meet(self, name: str) -> None:
        """Go on once every process has come to the meeting of this name."""
        (self.folder / f"{name}.{self.rank}").touch()
        while not all((self.folder / f"{name}.{rank}").exists() for rank in range(self.size)):
            time.sleep(POLL)


def micro_batches(batch: int, micro: int | None, processes: int) -> tuple[int, int]:
    """Size and number of the micro-batches in which each process goes through its share of a step, which is `batch` over all of them.

    So a step is the same however many processes take part. Raises `ValueError` where the shares would not be equal and whole.
    """
    share, rest = divmod(batch, processes)
    size = micro or share
    if rest or not size or share % size:
        raise ValueError(
            f"a step of {batch} cannot be shared out over {processes} processes"
            + (f" in micro-batches of {micro}" if micro and not rest else "")
            + f"; choose a step that {processes * (micro or 1)} divides"
        )
    return size, share // size


class ReadRecords(Records):
    """A record file that the main process writes, in one of the others: writing is left to it, and reading needs a `Crew.wait` first."""

    def __init__(self, file: FilePath) -> None:
        self.file, self.ids = file, set()

    def append(self, record: Any, **more: Json) -> None:
        """Nothing: the main process appends the same."""

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Nothing: the main process drops the same."""


class SharedRecords:
    """A record file that all processes fill; parts that a stopped run left behind are joined first, whatever its number of processes."""

    def __init__(self, crew: Crew, file: FilePath, written: Written, wanted: Callable[[dict[str, Json]], bool]) -> None:
        self.crew, self.file = crew, file
        if crew.main:
            self._join()
            Records(file).keep(wanted)
        crew.wait()
        self.ids: set[Json] = {record["id"] for record in self}
        """Records there are at the start; after `join`, all of them."""
        self._own = Records(file if crew.size == 1 else file.with_name(f"{file.name}.part{crew.rank}"), written)

    def __iter__(self) -> Iterator[dict[str, Json]]:
        """All records of before the start; after `join`, those of all processes."""
        return iter(ReadRecords(self.file))

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a record dataclass; it must have an ``id``, and one that is there changes nothing."""
        if (record["id"] if isinstance(record, Mapping) else record.id) not in self.ids:
            self._own.append(record, **more)

    def load(self, cls: type[Record]) -> list[Record]:
        """What iterating gives, as this dataclass."""
        return ReadRecords(self.file).load(cls)

    def join(self) -> None:
        """Make one file of all parts, once every process is done with its own."""
        self.crew.wait()
        if self.crew.main:
            self._join()
        self.crew.wait()
        self.ids = {record["id"] for record in self}

    def _join(self) -> None:
        parts = sorted(self.file.parent.glob(f"{self.file.name}.part*"))
        whole = Records(self.file) if parts else None
        for part in parts:
            for record in Records(part):
                whole.append(record)  # type: ignore[union-attr]
            part.unlink()
