"""What a share of verdicts would be without the judge's errors, from a slice of items whose truth is known.

A judge that says *yes* of a share p of many items, and of a labelled slice is known how often it says so rightly. Two corrections:

- **Rogan–Gladen** (1978): θ = (p + q₀ − 1) / (q₁ + q₀ − 1), where q₁ is how often the judge says yes of items that are one (sensitivity)
  and q₀ how often it says no of those that are not (specificity). Its interval is the delta method's with one success and one failure added
  to each share (Lang and Reiczigel 2014). It takes the slice's errors for those of all items, whatever the slice's share of yes.
- **PPI++** (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453): θ = λ · mean of all unlabelled verdicts + mean of (truth − λ · verdict)
  in the slice, λ chosen so that the variance is least; λ = 0 is the slice alone. It takes the slice for a random one of the items, and
  works for any verdict in [0, 1], such as a probability. Its interval is the normal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from adjudge import ConfigError, Interval

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Slice:
    """Labelled items: what the judge said of each, and what is true, both in [0, 1]."""

    said: Sequence[float]
    truth: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.said) != len(self.truth):
            raise ConfigError(
                f"the labelled slice has {len(self.said)} verdicts and {len(self.truth)} truths.\n  Remedy: give one truth to each."
            )


def rogan_gladen(said: Sequence[float], labelled: Slice) -> dict[str, Any]:
    """The true share of yes among items of which the judge said these, 0 or 1; None where its errors leave nothing to tell.

    That is where the slice lacks items of either kind, or the judge says yes of both kinds alike (q₁ + q₀ ≤ 1).
    """
    of_true = [one for one, truth in zip(labelled.said, labelled.truth, strict=True) if truth == 1]
    of_false = [1 - one for one, truth in zip(labelled.said, labelled.truth, strict=True) if truth == 0]
    if not said or not of_true or not of_false:
        return {"value": None, "n": len(said), "labelled": len(labelled.said), "interval": None}
    p, sensitivity, specificity = (sum(some) / len(some) for some in (said, of_true, of_false))
    apart = sensitivity + specificity - 1
    found = {"n": len(said), "labelled": len(labelled.said), "sensitivity": sensitivity, "specificity": specificity}
    if apart <= 0:
        return {**found, "value": None, "interval": None}
    value, (low, high) = _clipped((p + specificity - 1) / apart), _delta_interval(said, of_true, of_false)
    return {**found, "value": value, "interval": (min(low, value), max(high, value))}


def _delta_interval(*samples: Sequence[float]) -> Interval:
    (p, n), (q1, n1), (q0, n0) = (((sum(some) + 1) / (len(some) + 2), len(some)) for some in samples)
    apart = max(q1 + q0 - 1, 1e-9)
    theta = (p + q0 - 1) / apart
    spread = p * (1 - p) / n + q0 * (1 - q0) * (1 - theta) ** 2 / n0 + q1 * (1 - q1) * theta**2 / n1
    reach = Z * math.sqrt(spread) / apart
    return (_clipped(theta - reach), _clipped(theta + reach))


def ppi(said: Sequence[float], labelled: Slice) -> dict[str, Any]:
    """The mean truth over the unlabelled items `said` and the slice together; None with fewer than two items of either kind."""
    n, rest = len(labelled.said), len(said)
    if n < 2 or rest < 2:
        return {"value": None, "n": rest, "labelled": n, "interval": None}
    mean_said, mean_truth = sum(labelled.said) / n, sum(labelled.truth) / n
    together = sum((f - mean_said) * (y - mean_truth) for f, y in zip(labelled.said, labelled.truth, strict=True)) / (n - 1)
    spread_said = _variance([*labelled.said, *said])
    weight = 0.0 if spread_said == 0 else min(1.0, max(0.0, together / ((1 + n / rest) * spread_said)))
    value = weight * sum(said) / rest + mean_truth - weight * mean_said
    left = _variance([y - weight * f for f, y in zip(labelled.said, labelled.truth, strict=True)])
    reach = Z * math.sqrt(left / n + weight**2 * _variance(said) / rest)
    return {
        "value": _clipped(value), "n": rest, "labelled": n, "weight": weight,
        "interval": (_clipped(value - reach), _clipped(value + reach)),
    }  # fmt: skip


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((one - mean) ** 2 for one in values) / (len(values) - 1)


def _clipped(share: float) -> float:
    return min(1.0, max(0.0, share))
