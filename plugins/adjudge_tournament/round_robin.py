"""`round-robin`: everybody meets everybody, and the share of points won is the rating.

RRM plays a full round robin of pairwise verdicts, n(n-1)/2 of them, and hands the record to an ELO rating. This scheme stops
one step earlier: with every pair met equally often, the share of points already gives the Bradley-Terry order, and it stays
within [0, 1], which a reward can use as it is. What the paper leaves open and we settle: a draw is half a point each, equal
shares are ordered by the seed, and who stands in the first slot is balanced, so that a judge with a liking for one slot favours
nobody. Intervals, which the paper has none of, are those of Bradley-Terry, read as shares.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Interval, Match, Outcome, Ranking

from .ratings import Ratings, bradley_terry
from .soft import SoftAggregator


class RoundRobin(SoftAggregator):
    """All pairs meet; ranked by share of points, a draw being half a point each."""

    use: Literal["round-robin"] = "round-robin"
    meetings: Annotated[int, Field(ge=1)] = 1
    """How often each pair meets; slots alternate between meetings."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """One round of meetings x size x (size - 1) / 2 matches; ratings are shares in [0, 1], and 0.5 for a candidate alone."""
        rng = random.Random(seed)
        points = [0.0] * size
        matches = all_pairs(size, rng, self.meetings)
        if not matches:
            return Ranking.best_first([0.5] * size, rng)
        results = list(zip(matches, (yield matches), strict=True))
        for match, outcome in results:
            points[match.first] += outcome.points
            points[match.second] += 1 - outcome.points
        shares = [won / (self.meetings * (size - 1)) for won in points]
        return Ranking.best_first(shares, rng, as_shares(bradley_terry(size, results), shares))


def all_pairs(size: int, rng: random.Random, meetings: int = 1) -> list[Match]:
    """Every pair once a meeting, the two slots alternating between meetings.

    Within a meeting, seats are drawn and the slots follow from them, so that each candidate stands first as often as second
    (up to one match when the size is even). The order is drawn too, so that a tournament cut short has asked about everybody.
    """
    seats = rng.sample(range(size), size)
    pairs = [(low, high) if (high - low) % 2 else (high, low) for low, high in combinations(range(size), 2)]
    ways = [(seats[one], seats[other]) for one, other in rng.sample(pairs, len(pairs))]
    return [Match(*(way if meeting % 2 == 0 else way[::-1])) for meeting in range(meetings) for way in ways]


def as_shares(ratings: Ratings, shares: Sequence[float]) -> list[Interval]:
    """Intervals as shares of the points that such a rating would win against all the others, the share won always among them."""

    def expected(candidate: int, rating: float) -> float:
        others = [other for place, other in enumerate(ratings.values) if place != candidate]
        return sum(1 / (1 + math.exp((other - rating) / ratings.SCALE)) for other in others) / len(others)

    ends = [(expected(candidate, low), expected(candidate, high)) for candidate, (low, high) in enumerate(ratings.intervals)]
    return [(min(low, share), max(high, share)) for (low, high), share in zip(ends, shares, strict=True)]
