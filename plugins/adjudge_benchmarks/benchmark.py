"""Benchmarks: a data set that also names its groups and its metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adjudge import Dataset, Match, Problem, RowError, coin

from .judgements import Judged, Judgement, Scores
from .statistics import Metric


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

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        """The metric, from the problems that were judged in full: no pair without a judgement, no call that failed."""
        raise NotImplementedError


def by_coin(problem: Problem, one: int, other: int) -> Match:
    """A pair in an order that says nothing about which is right, always the same for a problem."""
    low, high = min(one, other), max(one, other)
    return Match(low, high) if coin("benchmark pair", problem.id, low, high) else Match(high, low)
