"""What a stage trainer is given: the model so far, the problems, the judge, and a place for records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from .artifacts import save_judge
from .components import Engine, Judge, PathScorer, RewardRule, Session
from .errors import ConfigError, JobError, PluginError, blamed_on, number_or_none
from .judging import PromptTooLong, plan_asks, sample_paths
from .records import Json, Outcome, Path, Problem, Score
from .rundir import Records


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

    @property
    def name(self) -> str:
        return f"{self.index}-{self.use}"

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        """The engine with a model loaded."""
        with ExitStack() as stack:
            with blamed_on(self.engine, "open"):
                session = stack.enter_context(self.engine.open(model))
            yield session

    def records(self, name: str, total: int | None = None) -> Records:
        """The stage's record file of this name, and how many records it will hold."""
        if total is not None:
            self.totals[name] = total
        return Records(self.records_folder / f"{self.name}-{name}.jsonl", lambda record: self.written(self, name, record))

    def sample(self, session: Session, problems: Sequence[Problem], name: str, *, samples: int = 1) -> list[Path]:
        """Judge these problems, recording every path as it finishes; paths recorded before a stop are not made again, failed calls are."""
        asks = plan_asks(problems, self.judge, samples=samples, seed=self.seed, purpose=[self.name, name])
        records = self.records(name, total=len(asks))
        records.keep(lambda record: record["completion"]["error"] is None)
        by_id = {problem.id: problem for problem in problems}
        with blamed_on(self.engine, "sample"):
            for path in sample_paths(session, self.judge, [ask for ask in asks if ask.id not in records.ids]):
                records.append(path, outcome=path.outcome, right=path.right(by_id[path.problem_id]))
        made = {path.id: path for path in records.load(Path)}
        paths = [made[ask.id] for ask in asks]
        if paths and all(path.outcome == Outcome.FAILED for path in paths):
            raise JobError(
                f"stage {self.name}: all {len(paths)} calls to engine {self.engine.use!r} failed, the last with:"
                f" {paths[-1].completion.error}\n  Remedy: see that the engine can answer and run again; failed calls are made again."
            )
        return paths

    def with_logprobs(self, session: Session, problem: Problem, paths: Sequence[Path]) -> list[Path]:
        """The paths, with log-probabilities taken by the open model where the engine that sampled them returned tokens without."""
        lacking = [path for path in paths if path.completion.logprobs is None and path.completion.token_ids]
        found = {}
        for order in sorted({path.order for path in lacking}):
            group = [path for path in lacking if path.order == order]
            values = session.logprobs(self.judge.prompt(problem, order), [path.completion.token_ids for path in group])
            for path, logprobs in zip(group, values, strict=True):
                found[path.id] = replace(path, completion=replace(path.completion, logprobs=tuple(logprobs)))
        return [found.get(path.id, path) for path in paths]

    def check_chat_template(self, tokenizer: Any) -> None:
        """Raise `ConfigError` for a tokenizer without a chat template, with which no prompt can be trained on."""
        if tokenizer.chat_template is None:
            raise ConfigError(
                f"model: the tokenizer of {self.model} has no chat template, so it is unknown how this model is asked.\n"
                "  Remedy: set tokenizer.chat_template and save the tokenizer into the model's folder."
            )

    def check_lengths(self, prompts: Iterable[tuple[Problem, int]]) -> None:
        """Raise `ConfigError` for a prompt, given with its number of tokens, that leaves no room for a judgement."""
        file = self.model / "config.json"
        context = json.loads(file.read_text(encoding="utf-8")).get("max_position_embeddings") if file.is_file() else None
        for problem, tokens in prompts:
            if context is not None and tokens + self.judge.max_new_tokens > context:
                raise ConfigError(f"problem {problem.id}: {PromptTooLong(0, tokens, context, self.judge.max_new_tokens)}")

    def newest_checkpoint(self) -> tuple[FilePath | None, int]:
        """The last whole checkpoint of a Hugging Face trainer in `checkpoints`, and its step; a torn one is removed.

        The trainer's state is what it writes last, so a checkpoint without it was cut short.
        """
        found = sorted(self.checkpoints.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
        while found:
            last = found.pop()
            if _is_json(last / "trainer_state.json"):
                return last, int(last.name.rpartition("-")[2])
            shutil.rmtree(last)
        return None, 0

    @property
    def checkpoints(self) -> FilePath:
        """Where a training stage keeps its checkpoints until it is complete."""
        return self.folder / "checkpoints"

    def finish_model(self, folder: FilePath) -> FilePath:
        """Save how the stage's model judges beside its weights."""
        save_judge(folder, self.judge)
        return folder

    def drop_checkpoints(self) -> None:
        """Let go of the checkpoints; a run does so once it is on disk that the stage is trained."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def _is_json(file: FilePath) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


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
