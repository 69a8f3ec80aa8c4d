"""Record files of several processes: each appends to a part of its own, and the main process joins the parts without a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import Json, ProcessGroup, Records, join_parts

Written = Callable[[Mapping[str, Json]], None]


class ReadRecords(Records):
    """A record file that the main process writes, as the others see it: they write nothing, and read after a barrier."""

    def __init__(self, file: FilePath) -> None:
        self.file = file
        self.open(write=False)

    def append(self, record: Any, **more: Json) -> None:
        """Nothing: the main process appends the same."""

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Nothing: the main process drops the same."""


class SharedRecords(ReadRecords):
    """A record file that all processes fill; parts that a stopped run left behind are joined first, whatever its number of processes.

    What is read are all records of before the start; after `join`, those of all processes.
    """

    def __init__(self, process_group: ProcessGroup, file: FilePath, written: Written, wanted: Callable[[dict[str, Json]], bool]) -> None:
        super().__init__(file)
        self.process_group = process_group
        if process_group.is_main_process:
            join_parts(file)
            Records(file).keep(wanted)
        process_group.barrier()
        self.open(write=False)
        self._own = Records(file if process_group.size == 1 else file.with_name(f"{file.name}.part{process_group.rank}"), written)

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a record dataclass; it must have an ``id``, and one that is there changes nothing."""
        if (record["id"] if isinstance(record, Mapping) else record.id) not in self.ids:
            self._own.append(record, **more)

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Drop the records that are not wanted; every process has to call this."""
        self._own.keep(wanted)
        if self.process_group.is_main_process:
            Records(self.file).keep(wanted)
        self.process_group.barrier()
        self.open(write=False)

    def join(self) -> None:
        """Make one file of all parts, once every process is done with its own."""
        self._own.close()
        self.process_group.barrier()
        if self.process_group.is_main_process:
            join_parts(self.file)
        self.process_group.barrier()
        self.open(write=False)
