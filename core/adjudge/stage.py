"""What a stage trainer is given: the model so far, the problems, the judge, and a place for records."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeVar, cast

from .artifacts import is_whole_checkpoint, model_below, read_settings, save_judge
from .components import Engine, Judge, PathScorer, RewardRule, Session
from .crew import Crew, ReadRecords, SharedRecords
from .errors import ConfigError, JobError, PluginError, blamed_on, number_or_none
from .judging import NotANumber, PromptTooLong, plan_asks, sample_paths, with_logprobs
from .records import Json, Outcome, Path, Problem, Score
from .rundir import Records, write_json

Item = TypeVar("Item")

log = logging.getLogger("adjudge.stage")


@dataclass
class Stage:
    """One stage of a run, or a stage on its own in a script or a test."""

    index: int
    use: str
    """The trainer's name; ``base`` for the model as it came."""
    folder: FilePath
    """Where the stage keeps its files; the model goes to ``folder / "model"``."""
    records_folder: FilePath
    model: FilePath
    """The previous stage's model folder."""
    base: FilePath
    """The run's first model folder."""
    judge: Judge
    engine: Engine
    problems: Sequence[Problem] = ()
    measures: Sequence[RewardRule] = ()
    seed: int = 0
    written: Callable[[Stage, str, Mapping[str, Json]], None] = lambda stage, name, record: None
    totals: dict[str, int] = field(default_factory=dict)
    """How many records of a name this stage will have written when it is complete, where that is known."""
    crew: Crew = field(default_factory=Crew)
    """The processes that work on this stage; each of them is handed a stage like this one and does the same in the same order."""

    @property
    def name(self) -> str:
        return f"{self.index}-{self.use}"

    @property
    def trust_remote_code(self) -> bool:
        """Whether the run's engine lets Python code run that lies in a model folder; no engine does unless it is told to."""
        return bool(getattr(self.engine, "trust_remote_code", False))

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        """The engine with a model loaded; in a process that has no share of the engine's work, a session that must not be asked."""
        if not (self.engine.everywhere or self.crew.main):
            yield cast(Session, _Elsewhere())
            return
        with ExitStack() as stack:
            with blamed_on(self.engine, "open"):
                session = stack.enter_context(self.engine.open(model))
            yield session

    def records(self, name: str, total: int | None = None) -> Records:
        """The stage's record file of this name, and how many records it will hold; the main process of the crew writes it."""
        if total is not None:
            self.totals[name] = total
        if not self.crew.main:
            return ReadRecords(self._record_file(name))
        return Records(self._record_file(name), lambda record: self.written(self, name, record))

    @contextmanager
    def shared(self, name: str, total: int | None = None, wanted: Callable[[dict[str, Json]], bool] = bool) -> Iterator[SharedRecords]:
        """A record file that every process of the crew fills with its share; past the context it holds what all of them wrote.

        Records that are not `wanted` are dropped first.
        """
        if total is not None:
            self.totals[name] = total
        records = SharedRecords(self.crew, self._record_file(name), lambda record: self.written(self, name, record), wanted)
        yield records
        records.join()

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Which of the items this process asks the engine about: its part of them, or all or none where one process asks for all."""
        if not self.engine.everywhere:
            return items if self.crew.main else items[:0]
        return items[self.crew.rank :: self.crew.size]

    def _record_file(self, name: str) -> FilePath:
        return self.records_folder / f"{self.name}-{name}.jsonl"

    def sample(self, session: Session, problems: Sequence[Problem], name: str, *, samples: int = 1) -> list[Path]:
        """Judge these problems, recording every path as it finishes; paths recorded before a stop are not made again, failed calls are."""
        asks = plan_asks(problems, self.judge, samples=samples, seed=self.seed, purpose=[self.name, name])
        by_id = {problem.id: problem for problem in problems}
        with self.shared(name, len(asks), lambda record: record["completion"]["error"] is None) as records:
            missing = self.share([ask for ask in asks if ask.id not in records.ids])
            with blamed_on(self.engine, "sample"), self._keeping_what_is_not_a_number():
                for path in sample_paths(session, self.judge, missing):
                    records.append(path, outcome=path.outcome, right=path.right(by_id[path.problem_id]))
        made = {path.id: path for path in records.load(Path)}
        paths = [made[ask.id] for ask in asks]
        if paths and all(path.outcome == Outcome.FAILED for path in paths):
            raise JobError(
                f"stage {self.name}: all {len(paths)} calls to engine {self.engine.use!r} failed, the last with:"
                f" {paths[-1].completion.error}\n  Remedy: see that the engine can answer and run again; failed calls are made again."
            )
        return paths

    def with_logprobs(self, session: Session, problem: Problem, paths: Sequence[Path], *, anew: bool = False) -> list[Path]:
        """The paths, with log-probabilities taken by the open model where the engine that sampled them returned tokens without.

        `anew` takes them for all paths that have tokens, in the place of those that came with the sampled tokens.
        """
        lacking = [path for path in paths if anew or path.completion.logprobs is None]
        with blamed_on(self.engine, "logprobs"), self._keeping_what_is_not_a_number():
            found = {path.id: path for path in with_logprobs(session, self.judge, problem, lacking)}
        return [found.get(path.id, path) for path in paths]

    @contextmanager
    def _keeping_what_is_not_a_number(self) -> Iterator[None]:
        """A path whose log-probabilities are no numbers is written down before it ends the stage."""
        try:
            yield
        except NotANumber as error:
            file = self.folder / "not-a-number" / f"{error.path.id}.json"
            write_json(file, {**asdict(error.path), "prompt": error.prompt})
            raise JobError(f"stage {self.name}: {error}\n  The path and its prompt are in {file}.") from error

    def check_chat_template(self, tokenizer: Any) -> None:
        """Raise `ConfigError` for a tokenizer without a chat template, with which no prompt can be trained on."""
        if tokenizer.chat_template is None:
            raise ConfigError(
                f"model: the tokenizer of {self.model} has no chat template, so it is unknown how this model is asked.\n"
                "  Remedy: set tokenizer.chat_template and save the tokenizer into the model's folder."
            )

    def check_lengths(self, prompts: Iterable[tuple[Problem, int]]) -> None:
        """Raise `ConfigError` for a prompt, given with its number of tokens, that leaves no room for a judgement."""
        file = (model_below(self.model) or self.model) / "config.json"
        context = read_settings(file).get("max_position_embeddings") if file.is_file() else None
        for problem, tokens in prompts:
            if context is not None and tokens + self.judge.max_new_tokens > context:
                raise ConfigError(f"problem {problem.id}: {PromptTooLong(0, tokens, context, self.judge.max_new_tokens)}")

    def newest_checkpoint(self) -> tuple[FilePath | None, int]:
        """The last whole checkpoint of a Hugging Face trainer in `checkpoints`, and its step; a torn one is removed."""
        if self.crew.main:
            while (last := self._last_checkpoint()) and not is_whole_checkpoint(last):
                log.warning("stage %s: %s was cut short and is removed", self.name, last)
                shutil.rmtree(last)
        self.crew.wait()
        last = self._last_checkpoint()
        return last, int(last.name.rpartition("-")[2]) if last else 0

    def _last_checkpoint(self) -> FilePath | None:
        found = self.checkpoints.glob("checkpoint-*")
        return max(found, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)

    @property
    def checkpoints(self) -> FilePath:
        """Where a training stage keeps its checkpoints until it is complete."""
        return self.folder / "checkpoints"

    def finish_model(self, folder: FilePath) -> FilePath:
        """Save how the stage's model judges beside its weights."""
        if self.crew.main:
            save_judge(folder, self.judge)
        return folder

    def drop_checkpoints(self) -> None:
        """Let go of the checkpoints; a run does so once it is on disk that the stage is trained."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


class _Elsewhere:
    """The session of an engine that only the main process opens, in one of the others."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this engine is open in the main process alone: go through Stage.share to ask it")


def score_paths(scorer: PathScorer, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
    """A scorer's scores, checked: one for each path, in order."""
    with blamed_on(scorer, "score"):
        scores = list(scorer.score(problem, paths, session))
    if [getattr(score, "path_id", None) for score in scores] != [path.id for path in paths]:
        raise PluginError(
            f"path scorer {scorer.use!r} ({type(scorer).__module__}.{type(scorer).__qualname__}) returned {len(scores)} scores for"
            f" {len(paths)} paths of problem {problem.id}.\n  Remedy: return one Score per path, in order, with the path's id."
        )
    for score in scores:
        number_or_none(scorer, "score", score.value)
    return scores
