"""Shows on the terminal how far a run is.

Counts come from the records as they are written, so no trainer has to report progress, and tokens from engines as they sample them; a
stage that went on after a stop starts from what its record files already hold. A display that fails is switched off: watching never
disturbs a run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import RLock
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Outcome, Reporter, RunInfo, StageContext, StageResult, duration, hookimpl
from adjudge_engines import sampled_tokens
from adjudge_judges import tokens_at_most

from .count import Count
from .display import ProgressDisplay
from .readable import Readability
from .wording import accuracies


class Progress(Reporter):
    """Progress on the terminal: stage, step, accuracy so far, tokens per second, time left."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"every"})
    use: Literal["progress"] = "progress"
    every: Annotated[float, Field(ge=0)] = 30.0
    """Least seconds between two lines where standard error is not a terminal."""

    def start(self, run: RunInfo) -> ProgressObserver:
        return ProgressObserver(ProgressDisplay(self.every))


class ProgressObserver:
    """Observes a run for `Progress`."""

    def __init__(self, display: ProgressDisplay) -> None:
        self.display, self.lock = display, RLock()
        self.stage: StageContext | None = None
        self.counts: dict[str, Count] = {}
        self.waiting: dict[str, Count] = {}
        """Counts of files to which nothing was written yet."""
        self.readable: dict[str, Readability] = {}
        self.name = ""
        """The record file that was last written to."""
        self.started = self.latest = time.monotonic()
        self.sampled = 0
        """Tokens that were sampled before the work that is under way."""

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        with self.display.quietly():
            self.display.start()
            size = len(run.config.stages)
            self.display.say(f"run {run.folder}: {size} stage{'s' * (size != 1)}, seed {run.config.seed}")
            self.display.watch(self.look)

    @hookimpl
    def stage_started(self, run: RunInfo, stage: StageContext) -> None:
        with self.display.quietly(), self.lock:
            self.counts, self.waiting, self.readable, self.name = {}, {}, {}, ""
            self.started = self.latest = time.monotonic()
            self.sampled, self.stage = sampled_tokens.total, stage
            self.display.say(f"{stage.name} starts ({stage.index} of {len(run.config.stages)})")
            self.display.wait_for(stage.name)

    @hookimpl
    def record_written(self, stage: StageContext, name: str, record: Mapping[str, Any]) -> None:
        if self.display.broken:
            return
        with self.display.quietly(), self.lock:
            if name not in self.counts:
                self.counts[name] = _counted(stage, name, record["id"], self.latest)
                if name in self.waiting:
                    self.counts[name].looks = self.waiting.pop(name).looks
            count = self.counts[name]
            count.add(record)
            self.name, self.latest = name, time.monotonic()
            self._show(stage, name, count)
            if count.done == count.total:
                self.sampled = sampled_tokens.total
            if "outcome" in record and (warning := self.readable.setdefault(name, Readability(stage.judge)).add(*_said(record))):
                self.display.say(f"{stage.name} {name}: {warning}")

    def look(self) -> None:
        """Show the tokens of a batch none of whose items has ended yet."""
        with self.lock:
            if self.stage is None or sampled_tokens.total == self.sampled:
                return
            if (name := self._not_begun(self.stage)) is not None:
                self._show(self.stage, name, self.waiting[name])
            elif self.name:
                self._show(self.stage, self.name, self.counts[self.name])

    def _not_begun(self, stage: StageContext) -> str | None:
        """The first record file that lacks records and that none was written to yet."""
        for name, total in tuple(stage.totals.items()):
            if name in self.counts:
                continue
            if name not in self.waiting:
                self.waiting[name] = _counted(stage, name, None, self.latest)
            if self.waiting[name].done < total:
                return name
        return None

    def _show(self, stage: StageContext, name: str, count: Count) -> None:
        count.total = stage.totals.get(name, count.total)
        count.see(time.monotonic(), max(count.finished, sampled_tokens.total - self.sampled))
        self.display.show(f"{stage.name} {name}", count, f"{stage.name} {name}:")

    @hookimpl
    def stage_finished(self, run: RunInfo, stage: StageContext, result: StageResult) -> None:
        with self.display.quietly(), self.lock:
            self.stage = None
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


def _counted(stage: StageContext, name: str, newest: str | None, began: float) -> Count:
    """A count that starts from the records written before a stop; the newest may still be in another file, one process's part."""
    count = Count(began, limit=max(stage.judge.max_new_tokens, tokens_at_most(stage.judge)))
    with suppress(FileNotFoundError), (stage.records_folder / f"{stage.name}-{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n") or (record := json.loads(line))["id"] == newest:
                break
            count.add(record, fresh=False)
    return count
