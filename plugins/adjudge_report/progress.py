"""Shows on the terminal how far a run is.

Counts come from the records as they are written, so no trainer has to report progress; a stage that went on after a stop starts
from what its record files already hold. A display that fails is switched off: watching never disturbs a run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Outcome, Reporter, RunInfo, StageContext, StageResult, duration, hookimpl

from .display import Count, ProgressDisplay
from .readable import Readability
from .wording import accuracies


class Progress(Reporter):
    """Progress on the terminal: stage, step, accuracy so far, time left."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"every"})
    use: Literal["progress"] = "progress"
    every: Annotated[float, Field(ge=0)] = 10.0
    """Least seconds between two lines where standard error is not a terminal."""

    def start(self, run: RunInfo) -> ProgressObserver:
        return ProgressObserver(ProgressDisplay(self.every))


class ProgressObserver:
    """Observes a run for `Progress`."""

    def __init__(self, display: ProgressDisplay) -> None:
        self.display = display
        self.counts: dict[str, Count] = {}
        self.readable: dict[str, Readability] = {}
        self.started = self.latest = time.monotonic()

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        with self.display.quietly():
            self.display.start()
            size = len(run.config.stages)
            self.display.say(f"run {run.folder}: {size} stage{'s' * (size != 1)}, seed {run.config.seed}")

    @hookimpl
    def stage_started(self, run: RunInfo, stage: StageContext) -> None:
        self.counts, self.readable, self.started = {}, {}, time.monotonic()
        self.latest = self.started
        with self.display.quietly():
            self.display.say(f"{stage.name} starts ({stage.index} of {len(run.config.stages)})")
            self.display.wait_for(stage.name)

    @hookimpl
    def record_written(self, stage: StageContext, name: str, record: Mapping[str, Any]) -> None:
        if self.display.broken:
            return
        with self.display.quietly():
            if name not in self.counts:
                self.counts[name] = _counted(stage, name, record, self.latest)
            count = self.counts[name]
            count.total = stage.totals.get(name, count.total)
            count.add(record)
            self.latest = time.monotonic()
            self.display.show(f"{stage.name} {name}", count, f"{stage.name} {name}:")
            if "outcome" in record and (warning := self.readable.setdefault(name, Readability(stage.judge)).add(*_said(record))):
                self.display.say(f"{stage.name} {name}: {warning}")

    @hookimpl
    def stage_finished(self, run: RunInfo, stage: StageContext, result: StageResult) -> None:
        with self.display.quietly():
            self.display.clear()
            took = duration(time.monotonic() - self.started)
            self.display.say(f"{stage.name} done in {took}: {accuracies(result.metrics.get('evaluation', {}))}")

    @hookimpl
    def run_finished(self, run: RunInfo) -> None:
        with self.display.quietly():
            self.display.say(f"run {run.folder}: all stages complete")
        self.close()

    def close(self) -> None:
        """Give the terminal back; called however the run ends."""
        self.display.close()


def _said(record: Mapping[str, Any]) -> tuple[Outcome, str]:
    """A judgement's outcome and text; a rollout has its text beside the outcome."""
    return Outcome(record["outcome"]), record["completion"]["text"] if "completion" in record else record.get("text", "")


def _counted(stage: StageContext, name: str, newest: Mapping[str, Any], began: float) -> Count:
    """A count that starts from the records written before a stop; the newest may still be in another file, one process's part."""
    count = Count(began)
    with suppress(FileNotFoundError), (stage.records_folder / f"{stage.name}-{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n") or (record := json.loads(line))["id"] == newest["id"]:
                break
            count.add(record, fresh=False)
    return count
