"""What every probe is made with: pairs with the judgements of them that came back, and metrics whose unit is the problem.

So many samples of one problem do not pass for many problems, and a call that failed says nothing about its pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from adjudge import Outcome, Problem, ReasoningPath
from adjudge_benchmarks import proportion

WORTH = {Outcome.FIRST: 1.0, Outcome.TIE: 0.5, Outcome.SECOND: 0.0}
"""What a decided verdict is worth for the answer that stands first in the problem."""


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair with its judgements that came back, one or more."""

    problem: Problem
    paths: tuple[ReasoningPath, ...]

    @property
    def both_orders(self) -> tuple[ReasoningPath, ReasoningPath] | None:
        """The first sample that came back in both orders: the given one, then the swapped one."""
        by_index: dict[int, dict[str, ReasoningPath]] = {}
        for path in self.paths:
            by_index.setdefault(path.index, {})[path.order] = path
        pairs = [by_index[index] for index in sorted(by_index) if len(by_index[index]) == 2]
        return (pairs[0]["given"], pairs[0]["swapped"]) if pairs else None

    @property
    def decided(self) -> list[Outcome]:
        """The outcomes that decide, in the problem's own order."""
        return [path.outcome for path in self.paths if path.outcome.decided]

    @property
    def preference(self) -> float | None:
        """The mean worth of the verdicts for the first answer, in [0, 1]; None where none decides."""
        return mean_of(WORTH[outcome] for outcome in self.decided) if self.decided else None

    def rights(self, order: str | None = None) -> list[float]:
        """For every judgement, or those in one order, whether it names the label; undecided ones are not right."""
        return [float(path.right(self.problem) is True) for path in self.paths if order in (None, path.order)]


def judged_pairs(problems: Iterable[Problem], paths: Iterable[ReasoningPath]) -> Iterator[JudgedPair]:
    """The pairs of which a judgement came back, one after the other in the problems' order; paths that are no list stand in it."""
    if isinstance(paths, list):
        place = {problem.id: index for index, problem in enumerate(problems)}
        paths = sorted(paths, key=lambda path: place[path.problem_id])
    groups = groupby(paths, key=lambda path: path.problem_id)
    judged, some = next(groups, (None, iter(())))
    for problem in problems:
        if problem.id == judged:
            if came_back := tuple(path for path in some if path.outcome != Outcome.FAILED):
                yield JudgedPair(problem, came_back)
            judged, some = next(groups, (None, iter(())))


def labelled_pairs(problems: Iterable[Problem], paths: Iterable[ReasoningPath]) -> Iterator[JudgedPair]:
    """Those of which it is known which answer is right."""
    return (pair for pair in judged_pairs(problems, paths) if pair.problem.label is not None)


def metric(values: Sequence[float]) -> dict[str, Any]:
    """The mean of one value in [0, 1] for every problem, with n and a 95% interval."""
    found = proportion("", values)
    return {"value": found.value, "n": found.n, "interval": found.interval}


def mean_of(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
