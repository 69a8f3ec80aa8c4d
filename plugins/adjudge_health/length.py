"""A probe of length: how far a judge leans to the longer answer, in characters, and how far it does so whichever answer is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adjudge import Probe, Problem, ReasoningPath

from .units import JudgedPair, judged_pairs, mean_of, metric

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


class Length(Probe):
    """How far the longer answer is preferred, beside how often it is right."""

    use: Literal["length"] = "length"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """How far the longer answer is preferred, and how accurate the judge is when that one is right and when it is not.

        The correlations are Pearson's, over problems, of the log ratio of both lengths with the preference for the first answer: as it is,
        and given which answer is right, which is what length does besides.
        """
        apart = [one for pair in judged_pairs(problems, paths) if (one := _apart(pair))]
        labelled = [one for one in apart if one.truth is not None]
        return {
            "longer_chosen": metric([one.liked if one.ratio > 0 else 1 - one.liked for one in apart]),
            "longer_right": metric([float(one.longer_right) for one in labelled]),
            "accuracy_when_longer_is_right": metric([one.right for one in labelled if one.longer_right]),
            "accuracy_when_shorter_is_right": metric([one.right for one in labelled if not one.longer_right]),
            "correlation": correlation([one.ratio for one in apart], [one.liked for one in apart]),
            "correlation_given_truth": correlation(_within(labelled, "ratio"), _within(labelled, "liked")),
            "points": [[one.ratio, one.liked] for one in apart],
        }


def _apart(pair: JudgedPair) -> Apart | None:
    first, second = (max(1, len(answer)) for answer in pair.problem.answers)
    liked = pair.preference
    if first == second or liked is None:
        return None
    truth = None if pair.problem.label is None else pair.problem.label == 0
    return Apart(math.log(first / second), liked, truth, mean_of(pair.rights()))


def _within(labelled: Sequence[Apart], name: str) -> list[float]:
    """A field without what the label says about it: each value minus the mean of the problems with the same label."""
    means = {truth: mean_of(getattr(one, name) for one in labelled if one.truth == truth) for truth in {one.truth for one in labelled}}
    return [getattr(one, name) - means[one.truth] for one in labelled]


def correlation(xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """Pearson's r with Fisher's 95% interval; None where either does not vary, or there are too few problems."""
    from statistics import NormalDist

    if len(xs) < ENOUGH or min(max(xs) - min(xs), max(ys) - min(ys)) < 1e-9:
        return {"value": None, "n": len(xs), "interval": None}
    r = max(-1.0, min(1.0, _pearson(xs, ys)))
    reach = NormalDist().inv_cdf(0.975) / math.sqrt(len(xs) - 3)
    at = math.copysign(math.inf, r) if abs(r) == 1 else math.atanh(r)
    return {"value": r, "n": len(xs), "interval": (math.tanh(at - reach), math.tanh(at + reach))}


def _pearson(xs: Sequence[float], ys: Sequence[float]) -> float:
    dxs, dys = ([one - math.fsum(values) / len(values) for one in values] for values in (xs, ys))
    return math.fsum(x * y for x, y in zip(dxs, dys, strict=True)) / (math.hypot(*dxs) * math.hypot(*dys))
