"""`elo`: a full round robin, read as skill on the Elo scale: 400 points are odds of ten to one, and the mean is 1000.

RRM rates candidates by the record of a full round robin of verdicts, and says that the ratings can serve as rewards in RLHF. It
does not say how the rating is computed: K-factor, starting value, passes and order of the matches are not given anywhere.
Online Elo depends on the order in which results arrive, although here all of them are known at once. So the default is the
Bradley-Terry model, which has one answer whatever the order, and online Elo is an option, averaged over shuffled orders.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Aggregator, Match, Outcome, Ranking

from .round_robin import POINTS, all_pairs

MEAN = 1000.0
SCALE = 400 / math.log(10)
"""Elo points per nat of log-odds."""

Result = tuple[Match, Outcome]


class Elo(Aggregator):
    """All pairs meet; rated on the Elo scale, by Bradley-Terry or by online updates."""

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
        """One round of meetings x size x (size - 1) / 2 matches; ratings have mean 1000."""
        rng = random.Random(seed)
        matches = all_pairs(size, rng, self.meetings)
        if not matches:
            return Ranking.best_first([MEAN] * size, rng)
        results = list(zip(matches, (yield matches), strict=True))
        if self.rating == "online":
            return Ranking.best_first(self._online(size, results, rng), rng)
        return Ranking.best_first(bradley_terry(size, results, self.prior), rng)

    def _online(self, size: int, results: Sequence[Result], rng: random.Random) -> list[float]:
        orders = [online_elo(size, rng.sample(results, len(results)), self.k) for _ in range(self.shuffles)]
        return [round(math.fsum(ratings) / len(orders), 3) for ratings in zip(*orders, strict=True)]


def bradley_terry(size: int, results: Sequence[Result], prior: float) -> list[float]:
    """Skills that make the results most probable under the penalty, in Elo points.

    A draw is half a win each way. choix takes whole wins only, so everything is counted twice: a win as two wins, a draw as one
    each way, the penalty doubled. Rounded to a thousandth of a point, far above the optimiser's error (1e-9), so that candidates
    with equal records are equal and the seed, not a rounding error, decides between them.
    """
    from choix import opt_pairwise

    wins: list[tuple[int, int]] = []
    for match, outcome in results:
        first, second = (match.first, match.second), (match.second, match.first)
        wins += {Outcome.FIRST: [first, first], Outcome.SECOND: [second, second], Outcome.TIE: [first, second]}[outcome]
    skills = opt_pairwise(size, wins, alpha=2 * prior, tol=1e-10)
    return [round(MEAN + SCALE * float(skill), 3) for skill in skills]


def online_elo(size: int, results: Sequence[Result], k: float) -> list[float]:
    """Ratings after these results in this order, everybody starting at 1000."""
    ratings = [MEAN] * size
    for match, outcome in results:
        expected = 1 / (1 + 10 ** ((ratings[match.second] - ratings[match.first]) / 400))
        change = k * (POINTS[outcome] - expected)
        ratings[match.first] += change
        ratings[match.second] -= change
    return ratings
