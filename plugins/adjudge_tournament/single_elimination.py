"""`single-elimination`: everybody meets one anchor, which seeds a bracket in which the best can meet only late: 2N - 2 comparisons.

ArenaRL (arXiv 2601.06487) ranks a group of trajectories so, its greedy one being the anchor, and makes rewards of the places; it comes near
to a full round robin at the price of two knockouts. A plain knockout lets two good candidates meet in its first round, and then knows the
second best no better than the last. Different here: the anchor is drawn unless `anchor` names one, verdicts may be soft, so that the first
pass seeds finely, and a pairing that ends level goes to the one with the better seed.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Match, Outcome, Ranking

from .soft import SoftAggregator


class SingleElimination(SoftAggregator):
    """A pass against one anchor seeds a bracket; winners go on; ranked by rounds survived, then by points."""

    use: Literal["single-elimination"] = "single-elimination"
    anchor: Annotated[int, Field(ge=0)] | None = None
    """Index of the candidate that everybody meets first, such as 0 for a reference answer; None = one that is drawn."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """2 x size - 2 matches; a rating is the number of rounds survived, byes included, plus half the share of points won."""
        rng = random.Random(seed)
        record = _Record(size)
        if size > 1:
            anchor = rng.randrange(size) if self.anchor is None or self.anchor >= size else self.anchor
            others = rng.sample([one for one in range(size) if one != anchor], size - 1)
            yield from record.play([(anchor, one) for one in others], rng)
        seeds = list(Ranking.best_first(record.shares(), rng).order) if size > 1 else []
        survived = [0.0] * size
        alive = seeds
        while len(alive) > 1:
            pairings = _bracket(alive)
            leads = yield from record.play(pairings, rng)
            beaten = {loser for (one, other), lead in zip(pairings, leads, strict=True) for loser in ((other,) if lead >= 0 else (one,))}
            alive = [one for one in alive if one not in beaten]
            for candidate in alive:
                survived[candidate] += 1
        shares = record.shares()
        return Ranking.best_first([rounds + share / 2 for rounds, share in zip(survived, shares, strict=True)], rng)


class _Record:
    """Points of every candidate."""

    def __init__(self, size: int) -> None:
        self.points, self.met = [0.0] * size, [0] * size

    def play(self, pairings: list[tuple[int, int]], rng: random.Random) -> Generator[list[Match], list[Outcome], list[float]]:
        """By how many points the first of every pairing is ahead; who stands in the first slot is drawn."""
        matches = [Match(*(pairing if rng.random() < 0.5 else pairing[::-1])) for pairing in pairings]
        leads = []
        for (one, _), match, outcome in zip(pairings, matches, (yield matches), strict=True):
            for candidate, points in ((match.first, outcome.points), (match.second, 1 - outcome.points)):
                self.points[candidate] += points
                self.met[candidate] += 1
            leads.append((2 * outcome.points - 1) * (1 if match.first == one else -1))
        return leads

    def shares(self) -> list[float]:
        """The share of points that everybody won; 1/2 without a match."""
        return [points / met if met else 0.5 for points, met in zip(self.points, self.met, strict=True)]


def _bracket(seeds: list[int]) -> list[tuple[int, int]]:
    """The best of those left against the worst of them, the better one first; the best rest until their number is a power of two."""
    places = 1 << (len(seeds) - 1).bit_length()
    byes = places - len(seeds)
    playing = seeds[byes:]
    half = len(playing) // 2
    return list(zip(playing[:half], reversed(playing[half:]), strict=True))
