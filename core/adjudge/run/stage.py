"""What a stage trainer is given: the model so far, the problems, the judge, and a place for records; see `StageContext`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path as FilePath
from typing import TypeVar

from adjudge.api.kinds import Engine, Judge, RewardRule, Session
from adjudge.api.stages import ProcessGroup
from adjudge.api.values import Json, JudgeRequest, Outcome, Problem, ReasoningPath
from adjudge.errors import JobError, boundary
from adjudge.judging.logprobs import with_logprobs
from adjudge.judging.paths import SKIPPED, NotANumber, sample_paths
from adjudge.judging.requests import build_requests
from adjudge.store.files import write_json
from adjudge.store.model_folder import save_judge
from adjudge.store.records import Records, join_parts

Item = TypeVar("Item")

log = logging.getLogger("adjudge.stage")


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

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        return items

    def record_file(self, name: str) -> FilePath:
        """Where the records of this name are."""
        return self.records_folder / f"{self.name}-{name}.jsonl"

    def sample(self, session: Session, problems: Sequence[Problem], name: str, *, samples: int = 1) -> list[ReasoningPath]:
        requests = build_requests(problems, self.judge, samples=samples, seed=self.seed, purpose=[self.name, name])
        by_id = {problem.id: problem for problem in problems}
        with self.shared(name, len(requests), lambda record: record["completion"]["error"] is None) as records:
            missing = self.shard([request for request in requests if request.id not in records.ids])
            with boundary(self.engine, "sample"), self._keeping_what_is_not_a_number():
                for path in self._sampled(session, missing):
                    problem = by_id[path.problem_id]
                    records.append(path, outcome=path.outcome, right=path.right(problem), **problem.shown(path.order))
        made = {path.id: path for path in records.load(ReasoningPath)}
        paths = [made[request.id] for request in requests]
        if failed := [path for path in paths if path.outcome == Outcome.FAILED]:
            self._tell_failed(failed, len(paths), name)
        return paths

    def _sampled(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """The judgements asked for; where some came back, calls that failed are made again once the others are through."""
        failed = {}
        for path in sample_paths(session, self.judge, requests):
            if path.outcome == Outcome.FAILED:
                failed[path.id] = path
            else:
                yield path
        again = [request for request in requests if request.id in failed] if len(failed) < len(requests) else []
        yield from sample_paths(session, self.judge, again) if again else failed.values()

    def _tell_failed(self, failed: Sequence[ReasoningPath], of: int, name: str) -> None:
        told = f"stage {self.name}: {len(failed)} of {of} calls for {name} failed, the last with: {failed[-1].completion.error}"
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
