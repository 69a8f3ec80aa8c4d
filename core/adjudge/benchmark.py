"""Benchmarks: a data set that also names its groups and its metric, judgements as records on disk, and the scoring of such records.

Judging and scoring are two steps. The first writes one line per judgement (`Judgement`) or per problem (`Scores`, of a model that gives
every answer a number); the second reads such lines, whoever made them, so another metric later needs no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .components import Dataset, Engine, Judge, Metrics, Options, Session
from .errors import ConfigError, DataError, blamed_on
from .figures import Figure
from .jsonl import RowError, read_objects
from .judging import plan_asks, sample_paths
from .records import Match, Order, Outcome, Problem, stable_id, stable_seed
from .rundir import Records


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement of two answers to a problem."""

    problem_id: str
    outcome: Outcome
    """As between the answers `first` and `second`, whichever of them was shown first."""
    first: int = 0
    second: int = 1
    order: Order = "given"
    index: int = 0
    """Which of the samples of this pair and order, from 0."""
    text: str = ""
    tokens: int = 0
    error: str | None = None
    id: str = ""

    @property
    def key(self) -> str:
        """What it is about: the id of a judgement that came without one."""
        return self.id or stable_id(self.problem_id, self.first, self.second, self.order, self.index)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a scalar reward model gave the answers to a problem, one number each, higher is better."""

    problem_id: str
    scores: tuple[float, ...]
    id: str = ""

    @property
    def key(self) -> str:
        return self.id or stable_id(self.problem_id, "scores")


@dataclass(frozen=True, slots=True)
class Judged:
    """A problem with everything that was said about its answers."""

    problem: Problem
    judgements: tuple[Judgement, ...] = ()
    scores: tuple[float, ...] | None = None

    @property
    def group(self) -> str:
        """The group it is reported in: ``meta["group"]``."""
        return str(self.problem.meta.get("group", ""))

    @property
    def gold(self) -> Outcome:
        """What is right about a pair: ``meta["gold"]`` where the answer may be a tie, else the label."""
        return (
            Outcome(self.problem.meta["gold"]) if "gold" in self.problem.meta else (Outcome.FIRST, Outcome.SECOND)[self.problem.label or 0]
        )

    def outcomes(self, first: int = 0, second: int = 1) -> tuple[Outcome, ...]:
        """What was said about two answers, seen as (first, second): the given order before the swapped one."""
        if self.scores is not None:
            one, other = self.scores[first], self.scores[second]
            return (Outcome.FIRST if one > other else Outcome.SECOND if one < other else Outcome.TIE,)
        found = [one for one in self.judgements if {one.first, one.second} == {first, second}]
        found.sort(key=lambda one: (one.index, one.order))
        return tuple(one.outcome if one.first == first else one.outcome.mirrored for one in found)

    def credit(self, winner: int, loser: int, *, tie: float = 0.5, unreadable: float = 0.0) -> float:
        """How far it is said that `winner` beats `loser`, in [0, 1]: the mean over the judgements. Scalar models must be strictly above."""
        worth = {
            Outcome.FIRST: 1.0,
            Outcome.TIE: 0.0 if self.scores else tie,
            Outcome.UNREADABLE: unreadable,
            Outcome.TRUNCATED: unreadable,
        }
        outcomes = self.outcomes(winner, loser)
        return sum(worth.get(outcome, 0.0) for outcome in outcomes) / len(outcomes)


class Benchmark(Dataset):
    """A labelled data set with groups and a metric. Problems name their group in ``meta["group"]``."""

    def sizes(self) -> Mapping[str, int | None]:
        """Problems in every group when the benchmark is complete; None = not known, and then no figure over it is official."""
        return {}

    def pairs(self, problem: Problem) -> list[Match]:
        """The answers that a pairwise judge compares: both of a pair as they stand; of more, the right one with each other, by a coin."""
        if len(problem.answers) == 2:
            return [Match(0, 1)]
        right = problem.label or 0
        return [by_coin(problem, right, other) for other in range(len(problem.answers)) if other != right]

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """Judgements in a row as the benchmark's authors record them; raises `RowError`."""
        raise RowError("has no field 'problem_id', as a recorded judgement must have")

    def score(self, judged: Sequence[Judged]) -> list[Figure]:
        """The metric, from the problems that were judged in full: no pair without a judgement, no call that failed."""
        raise NotImplementedError


def by_coin(problem: Problem, one: int, other: int) -> Match:
    """A pair in an order that says nothing about which is right, always the same for a problem."""
    coin = stable_seed("benchmark pair", problem.id, min(one, other), max(one, other)) % 2
    return Match(min(one, other), max(one, other)) if coin else Match(max(one, other), min(one, other))


class Job(Options):
    """What a benchmark's records depend on: the configuration of the folder that they are in."""

    model: str
    judge: Judge
    engine: Engine
    data: Dataset
    seed: int = 0
    limit: int | None = None


# Judging ------------------------------------------------------------------------------------------------------------------


def judge_problems(
    benchmark: Benchmark, problems: Sequence[Problem], judge: Judge, session: Session, records: Records, *, seed: int = 0
) -> None:
    """Ask about every pair of every problem and record each judgement as it finishes; those recorded before are not made again."""
    records.keep(lambda record: record["error"] is None)  # failed calls are made again
    matches = {}
    for problem in problems:
        for match in benchmark.pairs(problem):
            pair = problem.pair(match.first, match.second)
            matches[pair.id] = (pair, problem, match)
    asks = plan_asks([pair for pair, _, _ in matches.values()], judge, seed=seed, purpose="bench")
    for path in sample_paths(session, judge, [ask for ask in asks if ask.id not in records.ids]):
        _, problem, match = matches[path.problem_id]
        text, tokens, error = path.completion.text, len(path.completion.token_ids), path.completion.error
        row = Judgement(problem.id, path.outcome, match.first, match.second, path.order, path.index, text, tokens, error, path.id)
        records.append(row)


# Scoring ------------------------------------------------------------------------------------------------------------------

_JUDGEMENT, _SCORES = TypeAdapter(Judgement), TypeAdapter(Scores)


def read_recorded(benchmark: Benchmark, files: Iterable[FilePath]) -> list[Judgement | Scores]:
    """Recorded judgements, our own rows or the benchmark's authors'; raises `DataError` where a problem is judged twice."""

    def parse(row: dict[str, Any]) -> list[Judgement | Scores]:
        if "problem_id" not in row:
            return list(benchmark.recorded(row))
        try:
            return [_SCORES.validate_python(row) if "scores" in row else _JUDGEMENT.validate_python(row)]
        except ValidationError as error:
            first = error.errors()[0]
            raise RowError(f"is no recorded judgement: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    found: dict[str, Judgement | Scores] = {}
    for file in files:
        with blamed_on(benchmark, "recorded"):
            rows = [one for many in read_objects(file, parse=parse) for one in many]
        for one in rows:
            if found.setdefault(one.key, one) is not one:
                raise DataError(
                    f"{file}: problem {one.problem_id} has a second judgement of the same pair, order and index.\n"
                    "  Remedy: score the records of one judge at a time."
                )
    return list(found.values())


def join(problems: Sequence[Problem], said: Iterable[Judgement | Scores]) -> tuple[list[Judged], int]:
    """Every problem with what was said about it, and how many records are about none of them."""
    judgements: dict[str, list[Judgement]] = {problem.id: [] for problem in problems}
    scores: dict[str, tuple[float, ...]] = {}
    sizes = {problem.id: len(problem.answers) for problem in problems}
    unmatched = 0
    for one in said:
        if one.problem_id not in sizes:
            unmatched += 1
        elif isinstance(one, Scores):
            _check_answers(one.problem_id, len(one.scores) == sizes[one.problem_id], f"{len(one.scores)} scores", sizes)
            scores[one.problem_id] = one.scores
        else:
            legal = 0 <= min(one.first, one.second) < max(one.first, one.second) < sizes[one.problem_id]
            _check_answers(one.problem_id, legal, f"a judgement of answers {one.first} and {one.second}", sizes)
            judgements[one.problem_id].append(one)
    return [Judged(problem, tuple(judgements[problem.id]), scores.get(problem.id)) for problem in problems], unmatched


def _check_answers(problem: str, legal: bool, found: str, sizes: Mapping[str, int]) -> None:
    if not legal:
        raise DataError(
            f"the records have {found} for problem {problem}, which has {sizes[problem]} answers.\n"
            "  Remedy: score records of this very data set; --export writes its problems."
        )


def score_records(benchmark: Benchmark, problems: Sequence[Problem], said: Iterable[Judgement | Scores]) -> Metrics:
    """The benchmark's figures, each with n, interval and whether it is official, and beside them coverage and outcome rates."""
    everything, unmatched = join(problems, said)
    pairs = {problem.id: benchmark.pairs(problem) for problem in problems}
    by_pair = {
        (one.problem.id, match): outcomes
        for one in everything
        for match in pairs[one.problem.id]
        if (outcomes := one.outcomes(match.first, match.second))
    }
    if not any(one.judgements or one.scores for one in everything):
        raise ConfigError(
            "none of the records is about a problem of this data set.\n  Remedy: check that data and records belong together."
        )
    judged = [one for one in everything if _answered(one, pairs[one.problem.id])]
    with blamed_on(benchmark, "score"):
        figures = list(benchmark.score(judged))
    groups = _coverage(benchmark, everything, judged)
    counts = Counter(outcome for outcomes in by_pair.values() for outcome in outcomes)
    both = [outcomes for outcomes in by_pair.values() if len(outcomes) == 2]
    tokens = [one.tokens for item in everything for one in item.judgements if one.tokens]
    return {
        "figures": [_told(figure, groups) for figure in figures],
        "groups": groups,
        "problems": len(judged),
        "judgements": counts.total(),
        "outcomes": {outcome.value: counts[outcome] / max(1, counts.total()) for outcome in Outcome},
        "consistency": sum(one == other and one.decided for one, other in both) / len(both) if both else None,
        "mean_tokens": sum(tokens) / len(tokens) if tokens else None,
        "unmatched_records": unmatched,
    }


def _answered(one: Judged, matches: Sequence[Match]) -> bool:
    """Whether a problem can be scored: every answer has a number, or every pair a judgement and no call about it failed."""
    if one.scores is not None:
        return True
    said = [one.outcomes(match.first, match.second) for match in matches]
    return bool(said) and all(outcomes and Outcome.FAILED not in outcomes for outcomes in said)


def _coverage(benchmark: Benchmark, everything: Sequence[Judged], judged: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    """For every group: problems judged in full, and how many there are when it is complete."""
    done, there = Counter(one.group for one in judged), Counter(one.group for one in everything)
    sizes = benchmark.sizes()
    full = dict(sizes) if sizes else dict(there)
    return {group: {"judged": done[group], "of": full.get(group)} for group in sorted({*full, *there})}


def _told(figure: Figure, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A figure as it is written down: official only when every group it rests on is complete."""
    rests_on = figure.groups or tuple(groups)
    missing = [group for group in rests_on if groups[group]["judged"] != groups[group]["of"]]
    return {**asdict(figure), "groups": list(rests_on), "official": not missing, "incomplete_groups": missing}


def spread(problems: Sequence[Problem], limit: int | None) -> list[Problem]:
    """At most so many problems, evenly from the whole list, so that every group keeps its share."""
    if limit is None or limit >= len(problems):
        return list(problems)
    return [problems[index * len(problems) // limit] for index in range(limit)]


def exported(problems: Iterable[Problem]) -> Iterator[dict[str, Any]]:
    """Problems as rows to which another program adds `scores` or an `outcome`."""
    return ({"problem_id": problem.id, "prompt": problem.prompt, "answers": list(problem.answers)} for problem in problems)
