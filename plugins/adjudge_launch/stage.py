"""A stage as one of several processes sees it: its shard of the engine's work, and records that all of them write without a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path as FilePath
from typing import Any, Self, TypeVar, cast

from adjudge import Json, ProcessGroup, Records, Session, Stage

from .shared_records import ReadRecords, SharedRecords

Item = TypeVar("Item")


class LaunchedStage(Stage):
    """A stage in one of several processes; each has one like it and does the same in the same order."""

    @classmethod
    def of(cls, stage: Stage, process_group: ProcessGroup, written: Callable[[Stage, str, Mapping[str, Json]], None]) -> Self:
        """The stage for a process of this group; `written` is called with every record of this process."""
        values = {field.name: getattr(stage, field.name) for field in fields(stage)}
        return cls(**{**values, "process_group": process_group, "written": written})

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        """The engine with a model loaded; in a process that has no shard of the engine's work, a session that must not be asked."""
        if not (self.engine.per_process or self.process_group.is_main_process):
            yield cast(Session, _Elsewhere())
            return
        with super().open(model) as session:
            yield session

    def records(self, name: str, total: int | None = None) -> Records:
        if self.process_group.is_main_process:
            return super().records(name, total)
        if total is not None:
            self.totals[name] = total
        return ReadRecords(self.record_file(name))

    @contextmanager
    def shared(self, name: str, total: int | None = None, wanted: Callable[[dict[str, Json]], bool] = bool) -> Iterator[SharedRecords]:
        """A record file that every process fills with its shard; past the context it holds what all of them wrote.

        Records that are not `wanted` are dropped first.
        """
        if total is not None:
            self.totals[name] = total
        records = SharedRecords(self.process_group, self.record_file(name), lambda record: self.written(self, name, record), wanted)
        yield records
        records.join()

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        """Which of the items this process asks the engine about: its part of them, or all or none where one process asks for all."""
        if not self.engine.per_process:
            return items if self.process_group.is_main_process else items[:0]
        return items[self.process_group.rank :: self.process_group.size]


class _Elsewhere:
    """The session of an engine that only the main process opens, in one of the others."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this engine is open in the main process alone: go through stage.shard to ask it")
