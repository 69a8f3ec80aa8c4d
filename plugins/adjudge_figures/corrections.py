"""Many probes at once: the exact sign test that gives each a p-value, and Holm's correction, which keeps false alarms to 5% of reports.

Holm (1979) rather than Benjamini and Hochberg: one report holds a dozen probes, and its reader takes each finding for true. So what is
bounded is the chance that a report has any false finding, under whatever dependence there is among the probes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: a finding at 5% is one whose adjusted value is at most 0.05."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, reached = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def sign_test(above: int, below: int) -> float:
    """The exact two-sided p-value that so many of either kind come from a fair coin; of discordant pairs it is McNemar's."""
    n, least = above + below, min(above, below)
    if n > 100_000:  # the normal approximation with its correction for continuity is exact to three digits from here on
        return min(1.0, math.erfc(max(0.0, abs(above - below) - 1) / math.sqrt(2 * n)))
    tail = sum(math.exp(_log_choose(n, k) - n * math.log(2)) for k in range(least + 1))
    return min(1.0, 2 * tail)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
