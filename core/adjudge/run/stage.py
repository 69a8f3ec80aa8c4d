"""What a stage trainer is given: the model so far, the problems, the judge, and a place for records; see `StageContext`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path as FilePath
from typing import TypeVar

from adjudge.api.kinds import Engine, Judge, RewardRule, Session
from adjudge.api.stages import ProcessGroup
from adjudge.api.values import Json, JudgeRequest, Outcome, Problem, ReasoningPath
from adjudge.errors import JobError, boundary
from adjudge.judging.logprobs import with_logprobs
from adjudge.judging.paths import SKIPPED, NotANumber, sample_paths
from adjudge.judging.requests import build_requests, count_requests
from adjudge.store.files import write_json
from adjudge.store.model_folder import save_judge
from adjudge.store.records import Records, RecordSequence, join_parts, succeeded

Item = TypeVar("Item")

WINDOW = 8192
"""Judgements that an engine is asked for at a time: its batches are full but for the last ones, and their prompts take little memory."""

log = logging.getLogger("adjudge.stage")


def windows(problems: Sequence[Problem], size: int) -> Iterator[Sequence[Problem]]:
    """The problems, so many at a time and at least one."""
    return (problems[start : start + max(1, size)] for start in range(0, len(problems), max(1, size)))


@dataclass
class Stage:
    """One stage of a run, or a stage on its own in a script or a test."""

    index: int
    use: str
    folder: FilePath
    records_folder: FilePath
    model: FilePath
    base: FilePath
    judge: Judge
    engine: Engine
    problems: Sequence[Problem] = ()
    measures: Sequence[RewardRule] = ()
    seed: int = 0
    written: Callable[[Stage, str, Mapping[str, Json]], None] = lambda stage, name, record: None
    """Called with every record that is written, and the name of its file."""
    totals: dict[str, int] = field(default_factory=dict)
    process_group: ProcessGroup = field(default_factory=ProcessGroup)
    max_failed: float = 1

    @property
    def name(self) -> str:
        return f"{self.index}-{self.use}"

    @property
    def trust_remote_code(self) -> bool:
        return bool(getattr(self.engine, "trust_remote_code", False))

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        with ExitStack() as stack:
            with boundary(self.engine, "open"):
                session = stack.enter_context(self.engine.open(model))
            yield session

    def records(self, name: str, total: int | None = None) -> Records:
        if total is not None:
            self.totals[name] = total
        return Records(self.record_file(name), lambda record: self.written(self, name, record))

    @contextmanager
    def shared(self, name: str, total: int | None = None, wanted: Callable[[dict[str, Json]], bool] = bool) -> Iterator[Records]:
        join_parts(self.record_file(name))
        records = self.records(name, total)
        records.keep(wanted)
        yield records
        records.close()

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        return items

    def record_file(self, name: str) -> FilePath:
        """Where the records of this name are."""
        return self.records_folder / f"{self.name}-{name}.jsonl"

    def sample(self, session: Session, problems: Sequence[Problem], name: str, *, samples: int = 1) -> Sequence[ReasoningPath]:
        asked = partial(build_requests, judge=self.judge, samples=samples, seed=self.seed, purpose=[self.name, name])
        total = count_requests(len(problems), self.judge, samples)
        window = len(problems) if self.engine.asked_whole() else WINDOW // samples
        with self.shared(name, total, succeeded) as records, boundary(self.engine, "sample"), self._keeping_what_is_not_a_number():
            for path, problem in self._sampled(session, lambda: map(asked, windows(problems, window)), records):
                records.append(path, outcome=path.outcome, right=path.right(problem), **problem.shown(path.order))
        paths = RecordSequence(records, ReasoningPath, (one.id for some in windows(problems, window) for one in asked(some)))
        if records.ids.failed and (failed := [path for path in paths.without_tokens() if path.outcome == Outcome.FAILED]):
            self._tell_failed(failed, len(paths), name)
        return paths

    def _sampled(
        self, session: Session, windows: Callable[[], Iterable[list[JudgeRequest]]], records: Records
    ) -> Iterator[tuple[ReasoningPath, Problem]]:
        """Judgements that are missing; where some came back, calls that failed are made again once the others are through."""
        failed: list[tuple[ReasoningPath, Problem]] = []
        again: list[JudgeRequest] = []
        came_back = False
        for window in windows():
            requests = {request.id: request for request in self.shard([one for one in window if one.id not in records.ids])}
            for path in sample_paths(session, self.judge, list(requests.values())):
                if path.outcome == Outcome.FAILED:
                    failed.append((path, requests[path.id].problem))
                    again.append(requests[path.id])
                else:
                    came_back = True
                    yield path, requests[path.id].problem
        problems = {request.id: request.problem for request in again}
        yield from ((path, problems[path.id]) for path in sample_paths(session, self.judge, again)) if came_back else failed

    def _tell_failed(self, failed: Sequence[ReasoningPath], of: int, name: str) -> None:
        told = f"stage {self.name}: calls for {name} that failed: {len(failed)} of {of}, the last with: {failed[-1].completion.error}"
        if len(failed) == of or sum(path.completion.error != SKIPPED for path in failed) > self.max_failed * of:
            remedy = "give the same command again, which makes these again, or let max_failed say which share to train without"
            raise JobError(f"{told}\n  Remedy: see that engine {self.engine.use!r} can answer and {remedy}.")
        if self.process_group.is_main_process:
            log.warning(told)

    def with_logprobs(
        self, session: Session, problem: Problem, paths: Sequence[ReasoningPath], *, anew: bool = False
    ) -> list[ReasoningPath]:
        lacking = [path for path in paths if anew or path.completion.logprobs is None]
        with boundary(self.engine, "logprobs"), self._keeping_what_is_not_a_number():
            found = {path.id: path for path in with_logprobs(session, self.judge, problem, lacking)}
        return [found.get(path.id, path) for path in paths]

    @contextmanager
    def _keeping_what_is_not_a_number(self) -> Iterator[None]:
        """A path whose log-probabilities are no numbers is written down before it ends the stage."""
        try:
            yield
        except NotANumber as error:
            file = self.folder / "not-a-number" / f"{error.path.id}.json"
            row: Json = {**asdict(error.path), "prompt": error.prompt}
            row["completion"]["logprobs"] = [value if math.isfinite(value) else str(value) for value in row["completion"]["logprobs"]]
            write_json(file, row)
            raise JobError(f"stage {self.name}: {error}\n  The path and its prompt are in {file}.") from error

    def finish_model(self, folder: FilePath) -> FilePath:
        if self.process_group.is_main_process:
            save_judge(folder, self.judge)
        return folder
