"""Shows on the terminal how far a run is: a live display, or a plain line now and then where nobody watches.

Counts come from the records as they are written, so no trainer has to report progress; a stage that went on after a stop starts
from what its record files already hold. A display that fails is switched off: watching never disturbs a run.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from adjudge import Reporter, Stage, StageResult, hookimpl

from .wording import accuracies, duration, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from adjudge.run import Run


class Progress(Reporter):
    """Progress on the terminal: stage, step, accuracy so far, time left."""

    use: Literal["progress"] = "progress"
    every: Annotated[float, Field(ge=0)] = 10.0
    """Least seconds between two lines where standard error is not a terminal."""

    def start(self, run: Any) -> Watcher:
        from rich.console import Console

        return Watcher(Console(stderr=True), self.every)


@dataclass
class Count:
    """How far one kind of record of a stage has come."""

    began: float
    """Monotonic seconds at which the first record of this process was begun."""
    done: int = 0
    """Records there are, from before a stop too."""
    fresh: int = 0
    """Records that this process made."""
    total: int | None = None
    judged: int = 0
    right: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    """Accuracies of the latest training steps, in [0, 1]."""

    def add(self, record: Mapping[str, Any], fresh: bool = True) -> None:
        self.done, self.fresh = self.done + 1, self.fresh + fresh
        if record.get("total"):
            self.done, self.total = int(record.get("step", self.done)), int(record["total"])
        if record.get("right") is not None:
            self.judged, self.right = self.judged + 1, self.right + bool(record["right"])
        if record.get("accuracy") is not None:
            self.recent.append(float(record["accuracy"]))

    @property
    def accuracy(self) -> float | None:
        """Share of right judgements so far; of training, over the latest steps."""
        if self.judged:
            return self.right / self.judged
        return sum(self.recent) / len(self.recent) if self.recent else None

    def left(self, now: float) -> float | None:
        """Seconds until complete, at this process's pace; None until two records and two seconds have set one."""
        if self.total is None or self.fresh < 2 or now - self.began < 2:
            return None
        return max(0, self.total - self.done) * (now - self.began) / self.fresh

    def words(self, now: float) -> str:
        parts = [f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}"]
        if self.accuracy is not None:
            parts.append(f"{percent(self.accuracy)} right")
        if (left := self.left(now)) is not None and left >= 1:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


def quietly(method: Callable[..., None]) -> Callable[..., None]:
    """An observer that never raises: at the first trouble it says so, gives the terminal back and stays silent."""

    @wraps(method)
    def observe(self: Watcher, *facts: Any, **named: Any) -> None:
        if self.broken:
            return
        try:
            method(self, *facts, **named)
        except Exception as error:
            self.broken = True
            with suppress(Exception):
                self.stop_bars()
            with suppress(Exception):
                print(f"warning: no more progress is shown: {type(error).__name__}: {error}", file=sys.stderr)

    return observe


class Watcher:
    """What `Progress` registers for a run."""

    def __init__(self, console: Console, every: float) -> None:
        self.console = console
        self.every = every
        self.broken = False
        self.counts: dict[str, Count] = {}
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}
        self.started = self.latest = self.said = time.monotonic()

    @hookimpl
    @quietly
    def run_started(self, run: Run) -> None:
        if self.console.is_interactive:
            self.bars = _bars(self.console)
            self.bars.start()
        size = len(run.config.stages)
        self.say(f"run {run.folder}: {size} stage{'s' * (size != 1)}, seed {run.config.seed}")

    @hookimpl
    @quietly
    def stage_started(self, run: Run, stage: Stage) -> None:
        self.counts, self.started = {}, time.monotonic()
        self.latest = self.started
        self.say(f"{stage.name} starts ({stage.index} of {len(run.config.stages)})")
        if self.bars is not None:
            self.tasks[""] = self.bars.add_task(stage.name, total=None, what="")

    @hookimpl
    @quietly
    def record_written(self, stage: Stage, name: str, record: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if name not in self.counts:
            self.counts[name] = _counted(stage, name, record, self.latest)
        count = self.counts[name]
        count.total = stage.totals.get(name, count.total)
        count.add(record)
        self.latest = now
        if self.bars is not None:
            self._move_bar(stage, name, count)
        elif now - self.said >= self.every:
            self.say(f"{stage.name} {name}: {count.words(now)}")

    @hookimpl
    @quietly
    def stage_finished(self, run: Run, stage: Stage, result: StageResult) -> None:
        self._clear_bars()
        took = duration(time.monotonic() - self.started)
        self.say(f"{stage.name} done in {took}: {accuracies(result.metrics.get('evaluation', {}))}")

    @hookimpl
    @quietly
    def run_finished(self, run: Run) -> None:
        self.say(f"run {run.folder}: all stages complete")
        self.close()

    def close(self) -> None:
        """Give the terminal back; called however the run ends."""
        with suppress(Exception):
            self.stop_bars()

    def stop_bars(self) -> None:
        if self.bars is not None:
            self._clear_bars()
            self.bars.stop()
            self.bars = None

    def say(self, line: str) -> None:
        """One line, above the live display where there is one."""
        self.said = time.monotonic()
        self.console.out(line, highlight=False)

    def _move_bar(self, stage: Stage, name: str, count: Count) -> None:
        assert self.bars is not None
        if name not in self.tasks:
            if "" in self.tasks:
                self.bars.remove_task(self.tasks.pop(""))
            self.tasks[name] = self.bars.add_task(f"{stage.name} {name}", what="")
        self.bars.update(self.tasks[name], completed=count.done, total=count.total, what=count.words(self.latest))

    def _clear_bars(self) -> None:
        while self.bars is not None and self.tasks:
            self.bars.remove_task(self.tasks.popitem()[1])


def _bars(console: Console) -> Bars:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    text = TextColumn("{task.description}", markup=False, style="bold")
    return Bars(SpinnerColumn(), text, BarColumn(24), TextColumn("{task.fields[what]}", markup=False), TimeElapsedColumn(), console=console)


def _counted(stage: Stage, name: str, newest: Mapping[str, Any], began: float) -> Count:
    """A count that starts from the records written before a stop; the newest may still be in another file, one process's part."""
    count = Count(began)
    with suppress(FileNotFoundError), (stage.records_folder / f"{stage.name}-{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n") or (record := json.loads(line))["id"] == newest["id"]:
                break
            count.add(record, fresh=False)
    return count
