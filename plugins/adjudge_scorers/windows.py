"""Means: of numbers, of all windows of neighbouring numbers, and of the lowest or highest of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adjudge import ReasoningPath


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, within the values also to the last digit."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def window_means(values: Sequence[float], size: int) -> list[float]:
    """Mean of every window of so many neighbours, from the first to the last; where there are fewer, the mean of all."""
    size = min(size, len(values))
    return [mean(values[start : start + size]) for start in range(len(values) - size + 1)]


def lowest(values: Sequence[float], share: float) -> float:
    """Mean of the lowest share of values, of one of them at least."""
    return mean(sorted(values)[: max(1, int(share * len(values)))])


def tokens_that_count(path: ReasoningPath) -> list[int]:
    """Places of the tokens that reason and of those that state the verdict; none without a verdict."""
    return [*path.completion.tokens_in(path.verdict.reasoning), *path.completion.tokens_in(path.verdict.answer)]


def statistic(path: ReasoningPath, name: str) -> list[float] | None:
    """A statistic of the tokens that reason and answer; None where it was not told, or there are none."""
    known = path.completion.statistics.get(name)
    return [known[place] for place in tokens_that_count(path)] or None if known is not None else None
