"""Benchmarks: a data set that also names its groups and its metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from adjudge import Dataset, Match, Outcome, PluginError, Problem, RowError, coin

from .judgements import Judged, Judgement, Scores
from .statistics import Metric


class Benchmark(Dataset):
    """A labelled data set with groups and a metric. Problems name their group in ``meta["group"]``."""

    identical: Literal["leave-out", "count"] = "leave-out"
    """What becomes of a problem that compares two equal answers and calls one of them better: left out and told, or counted as the authors
    of most benchmarks do, whose published figures it is in."""

    reads_texts: ClassVar[bool] = True
    """Whether `score` reads the texts of problems, answers and judgements; without, these are left empty, and not held."""

    def everything(self) -> Iterable[Problem]:
        """All problems in the order of the data, also those that `load` leaves out."""
        return self.load()

    @property
    def source(self) -> str:
        """The data as messages name them."""
        return str(getattr(self, "data", self.use))

    def places(self) -> list[str]:
        """The files or splits that the data consist of; none where they are made."""
        return []

    def sizes(self) -> Mapping[str, int | None]:
        """Problems in every group when the benchmark is complete; None = not known, and then no figure over it is official."""
        return {}

    def pairs(self, problem: Problem) -> list[Match]:
        """The answers that a pairwise judge compares: both of a pair as they stand; of more, the right one with each other, by a coin."""
        if len(problem.answers) == 2:
            return [Match(0, 1)]
        if problem.label is None:
            raise PluginError(
                f"benchmark {self.use!r}: problem {problem.id} has {len(problem.answers)} answers and no label.\n"
                "  Remedy: say in pairs() which of them are compared."
            )
        right = problem.label
        return [by_coin(problem, right, other) for other in range(len(problem.answers)) if other != right]

    def better(self, problem: Problem, match: Match) -> Outcome | None:
        """Which of two answers the data call the better one, or a tie; None where they do not say."""
        if "gold" in problem.meta:
            gold = Outcome(problem.meta["gold"])
            return gold if match.first == 0 else gold.mirrored
        return {match.first: Outcome.FIRST, match.second: Outcome.SECOND}.get(-1 if problem.label is None else problem.label)

    def recorded(self, row: dict[str, Any]) -> Iterable[Judgement | Scores]:
        """Judgements in a row as the benchmark's authors record them; raises `RowError`."""
        raise RowError("has no field 'problem_id', as a recorded judgement must have")

    def at_its_place(self, row: dict[str, Any]) -> Outcome | None:
        """What a row says that names no problem and so is about the one at its own place, of its answers as they were shown; raises
        `RowError`. None = the row is none of this kind, and `recorded` reads it."""
        return None

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        """The metric, from the problems that were judged in full: no pair without a judgement, no call that failed."""
        raise NotImplementedError


def by_coin(problem: Problem, one: int, other: int) -> Match:
    """A pair in an order that says nothing about which is right, always the same for a problem."""
    low, high = min(one, other), max(one, other)
    return Match(low, high) if coin("benchmark pair", problem.id, low, high) else Match(high, low)
