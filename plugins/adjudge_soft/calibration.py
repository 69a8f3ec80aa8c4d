"""Whether probabilities mean what they say: Brier score, expected calibration error, and the temperature that mends them.

A forecast is (probability of *first*, whether it was *first*), of a labelled pair. Guo et al. (arXiv 1706.04599) divide log-odds by one
temperature, fitted by likelihood on labelled data that is not used otherwise; it changes no verdict, for 1/2 stays 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from adjudge import Problem, ReasoningPath
from adjudge_judges import probability_of

from .inner_judges import calibrated

Forecast: TypeAlias = tuple[float, bool]
BINS = 10
"""Bins of the expected calibration error, of equal width over the confidence, 0.5 to 1."""
COLDEST, HOTTEST = 0.05, 20.0
"""Between which a temperature is looked for."""
EDGE = 1e-6
"""How near to 0 and 1 a probability is taken to come, so that one sure mistake does not count without end."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of about the same confidence."""

    confidence: float
    """The mean probability of the answer that was named."""
    right: float
    """The share of them that named the right one."""
    n: int


@dataclass(frozen=True, slots=True)
class Mended:
    """Forecasts as a temperature makes them that was not fitted on them."""

    forecasts: list[list[Forecast]]
    """Of each problem, in order."""
    temperature: float
    """As it is fitted on all of them, for an option to set."""


def forecasts(problems: Sequence[Problem], paths: Sequence[ReasoningPath]) -> list[Forecast]:
    """Of every judgement of a labelled pair that tells a probability; in the problem's own order."""
    labels = {problem.id: problem.label for problem in problems}
    known = ((probability_of(path), labels.get(path.problem_id)) for path in paths)
    return [(share, label == 0) for share, label in known if share is not None and label is not None]


def brier(made: Sequence[Forecast]) -> float | None:
    """Mean squared distance of the probability from 1 or 0: 0 is perfect, always saying 1/2 has 0.25; None of nothing."""
    return math.fsum((share - first) ** 2 for share, first in made) / len(made) if made else None


def reliability(made: Sequence[Forecast], bins: int = BINS) -> list[Bin]:
    """Forecasts by confidence, bins without any left out. One of exactly 1/2 names nobody, and counts as half right."""
    found: dict[int, list[tuple[float, float]]] = {}
    for share, first in made:
        confidence = max(share, 1 - share)
        right = 0.5 if share == 0.5 else float((share > 0.5) == first)
        found.setdefault(min(bins - 1, int((confidence - 0.5) * 2 * bins)), []).append((confidence, right))
    return [
        Bin(math.fsum(one for one, _ in rows) / len(rows), math.fsum(right for _, right in rows) / len(rows), len(rows))
        for _, rows in sorted(found.items())
    ]


def calibration_error(made: Sequence[Forecast], bins: int = BINS) -> float | None:
    """Expected calibration error: how far confidence and share right are apart, in the mean over forecasts; None of nothing."""
    return math.fsum(one.n * abs(one.confidence - one.right) for one in reliability(made, bins)) / len(made) if made else None


def log_loss(made: Sequence[Forecast], temperature: float = 1.0) -> float:
    """Mean minus log-probability, in nats, of what was right."""
    shares = ((calibrated(min(1 - EDGE, max(EDGE, share)), temperature), first) for share, first in made)
    return -math.fsum(math.log(max(share if first else 1 - share, 1e-300)) for share, first in shares) / len(made)


def fit_temperature(made: Sequence[Forecast]) -> float:
    """The temperature under which what was right is most probable, with three digits; 1 of nothing.

    The loss has one minimum over the inverse temperature; it is found by golden section over its logarithm, between 1/20 and 20."""
    if not made:
        return 1.0
    low, high, ratio = math.log(COLDEST), math.log(HOTTEST), (math.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if log_loss(made, math.exp(left)) <= log_loss(made, math.exp(right)):
            high = right
        else:
            low = left
    return float(f"{math.exp((low + high) / 2):.3g}")


def cross_fitted(by_problem: Sequence[Sequence[Forecast]]) -> Mended | None:
    """The forecasts of every problem after calibration, each half of the problems with the temperature of the other half.

    So what is said of them is said of problems that the temperature has not seen; None of fewer than two."""
    if len(by_problem) < 2:
        return None
    halves = [[one for made in by_problem[start::2] for one in made] for start in (0, 1)]
    theirs = fit_temperature(halves[1]), fit_temperature(halves[0])
    mended = [[(calibrated(share, theirs[place % 2]), first) for share, first in made] for place, made in enumerate(by_problem)]
    return Mended(mended, fit_temperature([one for made in by_problem for one in made]))
