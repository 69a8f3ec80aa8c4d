"""The Python door: a judge with its model loaded, and what every judging command does with it. Docs: docs/python.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path as FilePath
from typing import Any, TypeAlias, TypeVar

from adjudge import (
    Aggregator,
    Budget,
    Completion,
    Component,
    DataError,
    Engine,
    Judge,
    Message,
    Order,
    Outcome,
    PathScorer,
    Plugins,
    Problem,
    ReasoningPath,
    RowError,
    Score,
    Session,
    TournamentResult,
    Voting,
    boundary,
    build_requests,
    combine,
    dump,
    find_model,
    load_judge,
    play,
    problem_in,
    read_verdict,
    sample_paths,
    score_paths,
    stable_id,
    validate,
    with_logprobs,
)
from adjudge_tournament import Reward, as_reward

Given: TypeAlias = Problem | Mapping[str, Any]
"""A problem, or a row with a ``prompt`` and its ``answers``, or ``chosen`` and ``rejected``."""
Kind = TypeVar("Kind", bound=Component)
GroupReward: TypeAlias = Callable[[Sequence[str], Sequence[str]], list[float | None]]


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What a judge says of two answers."""

    problem: Problem
    outcome: Outcome
    """In the problem's own order; a tie where its two orders disagree."""
    paths: tuple[ReasoningPath, ...]
    """The judgements that it was made from, one or one for each order."""


class CountedSession:
    """A session that counts what it has done; an exception of its engine becomes an error that names the engine."""

    def __init__(self, session: Session, engine: Engine) -> None:
        self.session, self.engine = session, engine
        self.total = self.done = self.failed = self.tokens = 0
        """Completions asked for, come back and failed, and tokens of which log-probabilities were taken."""
        self.last_error = ""

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        self.total += len(prompts)
        with boundary(self.engine, "sample"):
            for index, completion in self.session.sample(prompts, **settings):
                self.done += 1
                if completion.error is not None:
                    self.failed, self.last_error = self.failed + 1, completion.error
                yield index, completion

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        with boundary(self.engine, "logprobs"):
            found = self.session.logprobs(prompt, continuations)
        self.tokens += sum(map(len, continuations))
        return found

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        with boundary(self.engine, "tokenize"):
            return self.session.tokenize(text, token_ids)


@dataclass
class OpenJudge:
    """A judge with its model loaded; what `open_judge` gives."""

    options: Judge
    """How it judges: prompt, parser, sampling and order policy."""
    session: CountedSession
    plugins: Plugins
    seed: int = 0

    def judge(self, pairs: Sequence[Given]) -> list[PairVerdict]:
        """A verdict on every pair, in order; raises `DataError` for a row that is no pair."""
        problems = [_problem(pair, pairs=True) for pair in pairs]
        requests = build_requests(problems, self.options, seed=self.seed)
        made = {path.id: path for path in sample_paths(self.session, self.options, requests)}
        each = len(requests) // max(1, len(problems))
        found = []
        for index, problem in enumerate(problems):
            paths = tuple(made[request.id] for request in requests[index * each : (index + 1) * each])
            found.append(PairVerdict(problem, combine(paths), paths))
        return found

    def rank(self, problem: Given, aggregator: Any = "knockout", *, budget: Any = None, **voting: Any) -> TournamentResult:
        """A ranking of a problem's answers; `voting` are the fields of `Voting`, such as ``votes=3``."""
        [result] = self.rank_all([problem], aggregator, budget=budget, **voting)
        return result

    def rank_all(
        self, problems: Sequence[Given], aggregator: Any = "knockout", *, budget: Any = None, **voting: Any
    ) -> list[TournamentResult]:
        """Rankings of many problems' answers, in order; every group has a budget of its own, and all share the engine's batches."""
        given = [_problem(problem, pairs=False) for problem in problems]
        how = validate(Voting, voting, self.plugins, "voting")
        limit = Budget() if budget is None else validate(Budget, budget, self.plugins, "budget")
        return play(given, self._pick(Aggregator, aggregator), self.options, self.session, seed=self.seed, voting=how, budget=limit)

    def score(self, problem: Given, paths: Sequence[str | ReasoningPath], scorer: Any = "rstar", *, order: Order = "given") -> list[Score]:
        """A score for every path of a pair, in order; None as its value where there is no verdict, or the scorer does not apply.

        A text is a judgement of the pair as shown in `order`, in this model's tokens.
        """
        pair = _problem(problem, pairs=True)
        read = [path if isinstance(path, ReasoningPath) else self.read(pair, path, order, index) for index, path in enumerate(paths)]
        return [score for _, score in self.score_read(pair, read, scorer)]

    def score_read(self, problem: Problem, paths: Sequence[ReasoningPath], scorer: Any = "rstar") -> list[tuple[ReasoningPath, Score]]:
        """Paths of one pair, in order: each with its log-probabilities by this model where it has a verdict, and with its score."""
        decided = [index for index, path in enumerate(paths) if path.outcome.decided]
        known = self.with_logprobs(problem, [paths[index] for index in decided])
        scores = score_paths(self._pick(PathScorer, scorer), problem, known, self.session)
        scored = dict(zip(decided, zip(known, scores, strict=True), strict=True))
        return [scored.get(index, (path, Score(path.id, None))) for index, path in enumerate(paths)]

    def read(self, problem: Problem, text: str, order: Order = "given", index: int = 0) -> ReasoningPath:
        """The path that a judgement written elsewhere is, as this judge reads it."""
        made = self.session.tokenize(text)
        return ReasoningPath(stable_id(problem.id, order, index, text), problem.id, order, index, made, read_verdict(self.options, made))

    def with_logprobs(self, problem: Problem, paths: Sequence[ReasoningPath]) -> list[ReasoningPath]:
        """The paths with log-probabilities by this model."""
        return with_logprobs(self.session, self.options, problem, paths)

    def group_reward(
        self, aggregator: Any = "knockout", *, reward: Reward = "standardised", budget: Any = None, **voting: Any
    ) -> GroupReward:
        """A function of prompts and completions that gives every completion its reward among those that follow each other under one prompt.

        A completion that nobody could judge has None, and is to be masked; see `as_reward` for the rewards.
        """
        scheme = self._pick(Aggregator, aggregator)

        def rewards(prompts: Sequence[str], completions: Sequence[str]) -> list[float | None]:
            together = groupby(zip(prompts, completions, strict=True), key=lambda pair: pair[0])
            groups = [(prompt, tuple(completion for _, completion in group)) for prompt, group in together]
            problems = [Problem(stable_id(prompt, answers, place), prompt, answers) for place, (prompt, answers) in enumerate(groups)]
            played = self.rank_all(problems, scheme, budget=budget, **voting)
            return [value for result in played for value in as_reward(result, reward)]

        return rewards

    def _pick(self, kind: type[Kind], given: Any) -> Kind:
        return validate(kind, given, self.plugins, kind.kind)


@contextmanager
def open_judge(
    model: str | FilePath, *, engine: Any = "hf", judge: Any = None, seed: int = 0, cache: bool = True, plugins: Plugins | None = None
) -> Iterator[OpenJudge]:
    """A judge with its model loaded, until the context ends.

    `engine` and `judge` are what a run file may say of them: a name, a mapping of options, or a component. A mapping without ``use``
    changes options of the model's own judge, as ``{"order": "both"}``; None is that judge as it is. With `cache`, what was asked before is
    not asked again. Raises `ConfigError` for what cannot be used, and `PluginError` where an engine fails to open.
    """
    plugins, folder = plugins or Plugins.load(), find_model(str(model))
    if judge is None or (isinstance(judge, Mapping) and "use" not in judge):
        judge = {**dump(load_judge(folder, plugins)), **(judge or {})}
    options, chosen = validate(Judge, judge, plugins, "judge"), validate(Engine, engine, plugins, "engine")
    cached = cache and chosen.use != "cached" and "cached" in plugins.of_kind(Engine)
    opening = validate(Engine, {"use": "cached", "engine": chosen}, plugins, "engine") if cached else chosen
    with ExitStack() as stack:
        with boundary(chosen, "open"):
            session = stack.enter_context(opening.open(folder))
        yield OpenJudge(options, CountedSession(session, chosen), plugins, seed)


def _problem(given: Given, *, pairs: bool) -> Problem:
    if isinstance(given, Problem):
        return given
    try:
        return problem_in(dict(given), pairs=pairs)
    except RowError as error:
        raise DataError(f"a row {error}") from None
