"""`elo`: a full round robin, read as skill on the Elo scale: 400 points are odds of ten to one, and the mean is 1000.

RRM rates candidates by the record of a full round robin of verdicts, and says that the ratings can serve as rewards in RLHF. It
does not say how the rating is computed: K-factor, starting value, passes and order of the matches are not given anywhere.
Online Elo depends on the order in which results arrive, although here all of them are known at once. So the default is the
Bradley-Terry model, which has one answer whatever the order and says how sure it is, and online Elo is an option, averaged over
shuffled orders. Ties, of which RRM has none, are half a win each way, or with `soft` an outcome of their own by Davidson's model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Match, Outcome, Ranking

from .rated import RatedAggregator
from .ratings import Ratings
from .round_robin import all_pairs

Result = tuple[Match, Outcome]


class Elo(RatedAggregator):
    """All pairs meet; rated on the Elo scale, by Bradley-Terry or by online updates, for which a tie is half a win each way."""

    use: Literal["elo"] = "elo"
    rating: Literal["bradley-terry", "online"] = "bradley-terry"
    """Most probable skills given all results at once, or Elo's update after each result in shuffled order."""
    meetings: Annotated[int, Field(ge=1)] = 1
    """How often each pair meets; slots alternate between meetings."""
    prior: Annotated[float, Field(gt=0)] = 0.01
    """Bradley-Terry only: weight of the penalty prior x sum(skill^2), skill in nats; it keeps undefeated candidates finite."""
    k: Annotated[float, Field(gt=0)] = 32.0
    """Online only: points that change hands in a fully unexpected result."""
    shuffles: Annotated[int, Field(ge=1)] = 64
    """Online only: seeded orders of the matches to average over."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """One round of meetings x size x (size - 1) / 2 matches; ratings have mean 1000, and those of Bradley-Terry an interval each."""
        rng = random.Random(seed)
        matches = all_pairs(size, rng, self.meetings)
        if not matches:
            return Ranking.best_first([Ratings.MEAN] * size, rng)
        results = list(zip(matches, (yield matches), strict=True))
        if self.rating == "online":
            return Ranking.best_first(self._online(size, results, rng), rng)
        ratings = self.rate(size, results, prior=self.prior)
        return Ranking.best_first(ratings.values, rng, ratings.intervals)

    def _online(self, size: int, results: Sequence[Result], rng: random.Random) -> list[float]:
        orders = [online_elo(size, rng.sample(results, len(results)), self.k) for _ in range(self.shuffles)]
        return [round(math.fsum(ratings) / len(orders), 3) for ratings in zip(*orders, strict=True)]


def online_elo(size: int, results: Sequence[Result], k: float) -> list[float]:
    """Ratings after these results in this order, everybody starting at 1000."""
    ratings = [Ratings.MEAN] * size
    for match, outcome in results:
        expected = 1 / (1 + math.exp((ratings[match.second] - ratings[match.first]) / Ratings.SCALE))
        change = k * (outcome.points - expected)
        ratings[match.first] += change
        ratings[match.second] -= change
    return ratings
