"""Minimum detectable effect: the smallest true difference that so many items show, four times in five, at the 5% level.

For two judges on items of their own: δ = (z₀.₉₇₅ + z₀.₈) · √(2 p (1 − p) / n). For two judges on the *same* items, of which a share d is
judged right by just one of them (Connor 1987, Biometrics 43): √n · δ = z₀.₉₇₅ · √d + z₀.₈ · √(d − δ²).
"""

from __future__ import annotations

import math
from statistics import NormalDist

LEVEL, POWER = 0.05, 0.8
Z_LEVEL, Z_POWER = NormalDist().inv_cdf(1 - LEVEL / 2), NormalDist().inv_cdf(POWER)


def detectable(n: int, share: float | None = None) -> float | None:
    """The difference from `share` that a judge on n other items must have to be told apart; None without items or above 1.

    Without a share it is the worst one's, one half. At 0 and 1, where no spread is left, the share counts as that of one item in n more.
    """
    if n == 0:
        return None
    nearest = 1 / (n + 2)
    p = 0.5 if share is None else min(1 - nearest, max(nearest, share))
    found = (Z_LEVEL + Z_POWER) * math.sqrt(2 * p * (1 - p) / n)
    return found if found <= 1 else None


def detectable_paired(n: int, discordant: float) -> float | None:
    """The difference of two judges on the same n items that is shown, where the share `discordant` is judged right by just one of them.

    None where even the largest possible difference, all discordant items on one side, would not be shown.
    """
    if n == 0 or discordant <= 0:
        return None

    def short(delta: float) -> float:
        return Z_LEVEL * math.sqrt(discordant) + Z_POWER * math.sqrt(discordant - delta**2) - math.sqrt(n) * delta

    low, high = 0.0, discordant
    if short(high) > 0:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) > 0 else (low, middle)
    return high


def told_detectable(n: int, share: float | None) -> str:
    """What n items can show, in words."""
    found = detectable(n, share)
    if found is None:
        return f"n = {n} is too small to tell this judge from any other"
    return (
        f"n = {n} tells a judge on other problems apart from {100 * found:.1f} points on (80% power); 'adjudge compare' takes the same ones"
    )
