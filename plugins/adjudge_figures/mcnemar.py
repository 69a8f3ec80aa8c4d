"""Two judges on the same items: McNemar's exact test, the difference with its interval, and what so many items could have shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from adjudge import Interval

from .corrections import sign_test
from .power import detectable_paired

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Paired:
    """How two judges fared on n items that both judged."""

    both: int
    """Items that both judged right."""
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def difference(self) -> float | None:
        """Accuracy of B less that of A, in [-1, 1]; None without items."""
        return (self.only_b - self.only_a) / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """95%, Agresti and Min's (2005): Wald's after half an item is added to each of the four cells; None without items."""
        if not self.n:
            return None
        n, b, a = self.n + 2, self.only_b + 0.5, self.only_a + 0.5
        center = (b - a) / n
        reach = Z * math.sqrt((a + b) / n - center**2) / math.sqrt(n)
        return (max(-1.0, center - reach), min(1.0, center + reach))

    @property
    def p_value(self) -> float:
        """McNemar's exact two-sided p-value: that B is right as often as A."""
        return sign_test(self.only_a, self.only_b)

    @property
    def detectable(self) -> float | None:
        """The smallest difference that n such items show four times in five."""
        return detectable_paired(self.n, (self.only_a + self.only_b) / self.n) if self.n else None

    def told(self) -> dict[str, Any]:
        """All of it as a report holds it."""
        return {
            "n": self.n, "both_right": self.both, "only_a_right": self.only_a, "only_b_right": self.only_b, "neither_right": self.neither,
            "difference": {"value": self.difference, "n": self.n, "interval": self.interval},
            "mcnemar_p": self.p_value, "detectable": self.detectable,
        }  # fmt: skip


def paired(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """The table of two judges, from whether each judged each item right."""
    both = list(zip(a, b, strict=True))
    return Paired(both.count((True, True)), both.count((True, False)), both.count((False, True)), both.count((False, False)))
