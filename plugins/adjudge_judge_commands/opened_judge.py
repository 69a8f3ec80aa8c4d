"""The Python door: a judge with its model loaded, and what every judging command does with it. Docs: docs/python.md."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from adjudge import (
    Aggregator,
    Budget,
    Component,
    ConfigError,
    DataError,
    Engine,
    Judge,
    Order,
    Outcome,
    PathScorer,
    Plugins,
    Problem,
    ReasoningPath,
    Records,
    RowError,
    Score,
    TournamentResult,
    Voting,
    boundary,
    build_requests,
    check_statistics,
    combine,
    did_you_mean,
    dump,
    find_model,
    load_judge,
    play,
    problem_in,
    read_verdict,
    sample_paths,
    score_paths,
    stable_id,
    stable_seed,
    succeeded,
    validate,
    with_logprobs,
)
from adjudge_judges import probability_of
from adjudge_rstar import ask_together
from adjudge_tournament import play_each

from .counted import AT_ONCE, CountedSession
from .kept import judgement_row, keep
from .ratings import Rating, rated

if TYPE_CHECKING:
    from adjudge_rewards import GroupReward
    from adjudge_tournament import Reward

log = logging.getLogger("adjudge.judging")
Given: TypeAlias = Problem | Mapping[str, Any]
"""A problem, or a row with a ``prompt`` and its ``answers``, or ``chosen`` and ``rejected``, or in another shape of docs/data.md."""
Kind = TypeVar("Kind", bound=Component)


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What a judge says of two answers."""

    problem: Problem
    outcome: Outcome
    """In the problem's own order; a tie where its two orders disagree."""
    paths: tuple[ReasoningPath, ...]
    """The judgements that it was made from, one or one for each order."""

    @property
    def probability(self) -> float | None:
        """Of *first*, the mean of its judgements; None where one of them tells none."""
        known = [share for path in self.paths if (share := probability_of(path)) is not None]
        return sum(known) / len(known) if known and len(known) == len(self.paths) else None

    def _repr_html_(self) -> str:
        from adjudge_report import verdict_html

        return verdict_html(self)


@dataclass
class OpenJudge:
    """A judge with its model loaded; what `open_judge` gives."""

    options: Judge
    """How it judges: prompt, parser, sampling and order policy."""
    session: CountedSession
    plugins: Plugins
    seed: int = 0

    def judge(self, pairs: Sequence[Given], records: Records | None = None) -> list[PairVerdict]:
        """A verdict on every pair, in order; raises `DataError` for a row that is no pair.

        Judgements that are in `records` are not made again, and those that are made are appended as they come.
        """
        return list(self.judge_each(_problems(pairs, pairs=True), records))

    def judge_each(self, problems: Iterable[Problem], records: Records | None = None) -> Iterator[PairVerdict]:
        """As `judge` does, each verdict as soon as it and those before it are known; some thousand judgements are asked for at a time."""
        if records is not None:
            records.keep(succeeded)
        each = 2 if self.options.order == "both" else 1
        if isinstance(problems, Sized):
            self.session.total += each * len(problems) - (0 if records is None else len(records.ids))
        left = iter(problems)
        while some := list(islice(left, self.session.at_once // each)):
            yield from self._judge_some(some, records)

    def _judge_some(self, problems: Sequence[Problem], records: Records | None) -> Iterator[PairVerdict]:
        """The verdicts on these pairs, all of which are asked for at once."""
        requests = build_requests(problems, self.options, seed=self.seed)
        asked, each = {request.id: request.problem for request in requests}, len(requests) // len(problems)
        kept = [] if records is None else [ident for ident in asked if ident in records.ids]
        made = {} if records is None else dict(zip(kept, records.read(ReasoningPath, kept), strict=True))
        told = 0

        def known() -> Iterator[PairVerdict]:
            nonlocal told
            while told < len(problems):
                paths = tuple(made[one.id] for one in requests[told * each : (told + 1) * each] if one.id in made)
                if len(paths) < each:
                    return
                told += 1
                yield PairVerdict(problems[told - 1], combine(paths), paths)

        for path in sample_paths(self.session, self.options, [request for request in requests if request.id not in made]):
            made[path.id] = path
            keep(records, asked[path.id], path)
            yield from known()
        yield from known()

    def rank(self, problem: Given, aggregator: Any = "knockout", *, budget: Any = None, **voting: Any) -> TournamentResult:
        """A ranking of a problem's answers; `voting` are the fields of `Voting`, such as ``votes=3``."""
        [result] = self.rank_all([_problem(problem, "the problem", pairs=False)], aggregator, budget=budget, **voting)
        return result

    def rank_all(
        self, problems: Sequence[Given], aggregator: Any = "knockout", *, budget: Any = None, **voting: Any
    ) -> list[TournamentResult]:
        """Rankings of many problems' answers, in order; every group has a budget of its own, and all share the engine's batches."""
        return self.ranking(aggregator, budget, voting)(_problems(problems, pairs=False))

    def rank_each(
        self, problems: Iterable[Problem], aggregator: Any = "knockout", *, budget: Any = None, **voting: Any
    ) -> Iterator[TournamentResult]:
        """As `rank_all` does, each ranking as soon as it and those before it are known; a group begins when an earlier one is done."""
        how, limit, scheme = self._rules(aggregator, budget, voting)
        at_once = self.session.at_once
        return play_each(problems, scheme, self.options, self.session, seed=self.seed, voting=how, budget=limit, at_once=at_once)

    def kept_judgements(self, pair: Problem, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The judgements of a pair by their ids, for a program to read, as far as the session has kept them; it lets go of them."""
        kept, found = self.session.kept or {}, []
        given = self.options.render(pair, "given")
        for ident in ids:
            if (whole := self.session.noted.pop(ident, None)) is not None:
                kept.pop(stable_seed("sample", ident), None)
                found.append(judgement_row(pair, whole))
            elif (said := kept.pop(stable_seed("sample", ident), None)) is not None:
                prompt, made = said
                order: Order = "given" if prompt == given else "swapped"
                found.append(judgement_row(pair, ReasoningPath(ident, pair.id, order, 0, made, read_verdict(self.options, made))))
        return found

    def score(self, problem: Given, paths: Sequence[str | ReasoningPath], scorer: Any = "rstar", *, order: Order = "given") -> list[Score]:
        """A score for every path of a pair, in order; None as its value where there is no verdict, or the scorer does not apply.

        A text is a judgement of the pair as shown in `order`, in this model's tokens. Raises `ConfigError` for a path of another problem.
        """
        pair = _problem(problem, "the pair", pairs=True)
        _check_order(order)
        given = _paths_of(pair, paths)
        read = [path if isinstance(path, ReasoningPath) else self.read(pair, path, order, index) for index, path in enumerate(given)]
        return [score for _, score in self.score_read(pair, read, scorer)]

    def score_read(self, problem: Problem, paths: Sequence[ReasoningPath], scorer: Any = "rstar") -> list[tuple[ReasoningPath, Score]]:
        """Paths of one pair, in order: each with its log-probabilities by this model where it has a verdict, and with its score."""
        [(_, scored)] = self.score_each([(problem, paths)], scorer)
        return scored

    def score_each(
        self, groups: Sequence[tuple[Problem, Sequence[ReasoningPath]]], scorer: Any = "rstar"
    ) -> Iterator[tuple[int, list[tuple[ReasoningPath, Score]]]]:
        """The same for paths of many pairs, whose log-probabilities are asked for together: a pair's place and its paths, as they come."""
        chosen = self._pick(PathScorer, scorer)
        names = chosen.statistics
        check_statistics(self.session.engine, names, "scorer")
        decided = [(problem, [path for path in paths if path.outcome.decided]) for problem, paths in groups]
        for place, session in ask_together(self.session, self.options, decided, names):
            problem, paths = decided[place]
            known = with_logprobs(session, self.options, problem, paths, names)
            scored = iter(zip(known, score_paths(chosen, problem, known, self.session), strict=True))
            yield place, [next(scored) if path.outcome.decided else (path, Score(path.id, None)) for path in groups[place][1]]

    def read(self, problem: Problem, text: str, order: Order = "given", index: int = 0) -> ReasoningPath:
        """The path that a judgement written elsewhere is, as this judge reads it."""
        _check_order(order)
        made = self.session.tokenize(text)
        return ReasoningPath(stable_id(problem.id, order, index, text), problem.id, order, index, made, read_verdict(self.options, made))

    def with_logprobs(self, problem: Problem, paths: Sequence[ReasoningPath], statistics: Collection[str] = ()) -> list[ReasoningPath]:
        """The paths with log-probabilities by this model, and with statistics of each token that its engine can tell."""
        return with_logprobs(self.session, self.options, problem, paths, statistics)

    def rate(self, problems: Sequence[Given], *, samples: int = 1) -> list[list[Rating]]:
        """A rating of every answer of every problem, one answer or more, each by itself; for a judge such as `scale` or `rubric`."""
        return rated(self, _problems(problems, pairs=False, fewest=1), samples)

    def group_reward(
        self, aggregator: Any = "knockout", *, reward: Reward = "standardised", budget: Any = None, pointwise: bool = False, **voting: Any
    ) -> GroupReward:
        """A function of prompts and completions that gives every completion its reward among those of its group.

        A completion that nobody could judge has None, and is to be masked; see `as_reward` for the rewards. A match without a readable
        vote is left out, unless `voting` says otherwise. `pointwise` rates each completion by itself, and nothing is compared.
        """
        from adjudge_rewards import GroupReward

        return GroupReward(self, aggregator, reward=reward, budget=budget, voting=voting, pointwise=pointwise)

    def ranking(self, aggregator: Any, budget: Any, voting: Mapping[str, Any]) -> Callable[[Sequence[Problem]], list[TournamentResult]]:
        """A function that ranks problems under these rules, which are checked here."""
        how, limit, scheme = self._rules(aggregator, budget, voting)
        return lambda problems: play(problems, scheme, self.options, self.session, seed=self.seed, voting=how, budget=limit)

    def _rules(self, aggregator: Any, budget: Any, voting: Mapping[str, Any]) -> tuple[Voting, Budget, Aggregator]:
        how = validate(Voting, voting, self.plugins, "voting")
        limit = Budget() if budget is None else validate(Budget, budget, self.plugins, "budget")
        return how, limit, self._pick(Aggregator, aggregator)

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
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed: {seed!r} is no whole number of 0 or more.\n  Remedy: give one, such as seed=0.")
    plugins, folder = plugins or Plugins.load(), find_model(str(model))
    if judge is None or (isinstance(judge, Mapping) and "use" not in judge):
        judge = {**dump(load_judge(folder, plugins)), **(judge or {})}
    options, chosen = validate(Judge, judge, plugins, "judge"), validate(Engine, engine, plugins, "engine")
    with boundary(chosen, "check_judge"):
        chosen.check_judge(options)
    cached = cache and chosen.use != "cached" and "cached" in plugins.of_kind(Engine)
    opening = validate(Engine, {"use": "cached", "engine": chosen}, plugins, "engine") if cached else chosen
    with ExitStack() as stack:
        with boundary(chosen, "open"):
            session = stack.enter_context(opening.open(folder))
        counted = CountedSession(session, chosen, options)
        counted.at_once = sys.maxsize if chosen.asked_whole() else AT_ONCE
        if members := getattr(options, "members", None):  # which may have models of their own
            from adjudge_soft import members_open

            stack.enter_context(members_open(members()))
        try:
            yield OpenJudge(options, counted, plugins, seed)
        finally:
            counted.closed = True


def _problems(given: Iterable[Given], *, pairs: bool, fewest: int = 2) -> list[Problem]:
    if isinstance(given, str | Mapping | Problem) or not isinstance(given, Iterable):
        expected = f"a list of {'pairs' if pairs else 'problems'} is expected"
        raise DataError(f"{expected}, and this is of the type {type(given).__name__}.{_remedy(pairs, listed=True)}")
    return [_problem(one, f"row {number}", pairs=pairs, fewest=fewest) for number, one in enumerate(given, 1)]


def _problem(given: Given, where: str, *, pairs: bool, fewest: int = 2) -> Problem:
    """The problem that was given, or that a row has; `where` is what a `DataError` calls it."""
    try:
        if isinstance(given, Problem):
            where = f"{where} (id {given.id!r})"
            _check_answers(given, pairs, fewest)
            return given
        if not isinstance(given, Mapping):
            raise RowError(f"is of the type {type(given).__name__}, neither a Problem nor a mapping")
        return problem_in(dict(given), pairs=pairs, fewest=fewest)
    except RowError as error:
        raise DataError(f"{where} {error}.{_remedy(pairs)}") from None


def _check_answers(problem: Problem, pairs: bool, fewest: int) -> None:
    texts = (problem.prompt, *problem.answers) if isinstance(problem.answers, list | tuple) else (None,)
    if not all(isinstance(text, str) for text in texts):
        raise RowError("has a prompt and answers that are not all texts")
    size = len(problem.answers)
    if size < fewest or (pairs and size > 2):
        raise RowError(f"has {size} answers; {'a judgement takes two' if pairs else 'a ranking takes two or more'}")


def _remedy(pairs: bool, *, listed: bool = False) -> str:
    size = "two 'answers' (or 'chosen' and 'rejected')" if pairs else "two 'answers' or more"
    return f"\n  Remedy: give {'a list of these: ' if listed else ''}an adjudge.Problem, or a mapping with a 'prompt' and {size}."


def _check_order(order: str) -> None:
    known = get_args(Order)
    if order not in known:
        raise ConfigError(
            f"order: there is no {order!r}{did_you_mean(str(order), known) or '.'}\n  Remedy: write one of {', '.join(known)}."
        )


def _paths_of(pair: Problem, paths: Iterable[str | ReasoningPath]) -> list[str | ReasoningPath]:
    """The paths, checked: texts, and paths of this pair."""
    if isinstance(paths, str) or not isinstance(paths, Iterable):
        raise DataError(f"a list of paths is expected, and this is of the type {type(paths).__name__}.\n  Remedy: put it into a list.")
    given = list(paths)
    for number, path in enumerate(given, 1):
        if not isinstance(path, str | ReasoningPath):
            raise DataError(
                f"path {number} is of the type {type(path).__name__}.\n  Remedy: give a text, or a path such as verdict.paths has."
            )
        if isinstance(path, ReasoningPath) and path.problem_id != pair.id:
            raise ConfigError(
                f"path {number} judges the problem {path.problem_id!r}, and the pair is {pair.id!r}.\n"
                "  Remedy: give the problem that the path was made for, such as verdict.problem."
            )
    return given
