"""How far a judge leans to the longer answer, in characters, and how far it does so whichever answer is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adjudge.benchmark import Judged

from .units import figure, is_right, mean_of, preference

ENOUGH = 10
"""Problems from which a correlation is taken; with fewer it says nothing."""


@dataclass(frozen=True, slots=True)
class Apart:
    """A problem whose answers differ in length and of which some verdict decides."""

    ratio: float
    """Log of the first answer's length over the second's; an empty answer counts as one character."""
    liked: float
    """The mean worth of the verdicts for the first answer, in [0, 1]."""
    truth: bool | None
    """Whether the first answer is right; None without a label."""
    right: float
    """The share of all judgements that are right, undecided ones included."""

    @property
    def longer_right(self) -> bool:
        return (self.ratio > 0) == self.truth


def length(judged: Sequence[Judged]) -> dict[str, Any]:
    """How far the longer answer is preferred, beside how often it is right, and how accurate the judge is when it is and when it is not.

    The correlations are Pearson's, over problems, of the log ratio of both lengths with the preference for the first answer: as it is, and
    given which answer is right, which is what length does besides.
    """
    apart = [one for item in judged if (one := _apart(item))]
    labelled = [one for one in apart if one.truth is not None]
    return {
        "longer_chosen": figure([one.liked if one.ratio > 0 else 1 - one.liked for one in apart]),
        "longer_right": figure([float(one.longer_right) for one in labelled]),
        "accuracy_when_longer_is_right": figure([one.right for one in labelled if one.longer_right]),
        "accuracy_when_shorter_is_right": figure([one.right for one in labelled if not one.longer_right]),
        "correlation": _correlation([one.ratio for one in apart], [one.liked for one in apart]),
        "correlation_given_truth": _correlation(_within(labelled, "ratio"), _within(labelled, "liked")),
        "points": [[one.ratio, one.liked] for one in apart],
    }


def _apart(item: Judged) -> Apart | None:
    first, second = (max(1, len(answer)) for answer in item.problem.answers)
    liked = preference(item)
    if first == second or liked is None:
        return None
    truth = None if item.problem.label is None else item.problem.label == 0
    return Apart(math.log(first / second), liked, truth, mean_of(float(is_right(item, one)) for one in item.judgements))


def _within(labelled: Sequence[Apart], name: str) -> list[float]:
    """A field without what the label says about it: each value minus the mean of the problems with the same label."""
    means = {truth: mean_of(getattr(one, name) for one in labelled if one.truth == truth) for truth in {one.truth for one in labelled}}
    return [getattr(one, name) - means[one.truth] for one in labelled]


def _correlation(xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """Pearson's r with Fisher's interval; None where either does not vary, or there are too few problems."""
    from scipy.stats import pearsonr

    if len(xs) < ENOUGH or min(max(xs) - min(xs), max(ys) - min(ys)) < 1e-9:
        return {"value": None, "n": len(xs), "interval": None}
    found = pearsonr(xs, ys)
    interval = found.confidence_interval(0.95)
    return {"value": float(found.statistic), "n": len(xs), "interval": (float(interval.low), float(interval.high))}
