"""`active`: each round plays the pairs that settle most of what one wants to know, the best candidate or the whole order.

RRM allows subsampled match-ups and does not say which; a round robin spends most of its matches on pairs whose order is clear or
does not matter. Here every round fits Bradley-Terry to all results so far and picks its pairs by what is left open. One match
between i and j removes a known share of the variance of their difference (p(1-p)v / (1 + p(1-p)v), the rank-one update of the
normal posterior), whatever its outcome, so a whole batch can be chosen before any outcome is known, each pair given the ones
before. That share is weighed, for `aim: top`, by the chance of either one to be above the present leader; for `aim: order` by the
chance that the two are in the wrong order, pairs that have met least often first.

Results chose the pairs, so the final ratings and intervals take the spread of skills as unknown: with a weak fixed prior they
would claim too much (see `adjudge.bradley_terry`). With `soft` a tie is an outcome of its own, by Davidson's model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from adjudge import Match, Outcome, Ranking

from .rated import RatedAggregator
from .ratings import Ratings

Array: TypeAlias = Any
"""A numpy array of 64-bit numbers; its name ends in its shape."""

# Shapes: N candidates.

SHARES = {"top": 0.35, "order": 0.5}
"""Default budgets as shares of a round robin."""


class Active(RatedAggregator):
    """Pairs that settle most of the top or of the order, in batches, until sure enough; rated by Bradley-Terry."""

    use: Literal["active"] = "active"
    aim: Literal["top", "order"] = "top"
    """What to settle: who is best, or everybody's place."""
    budget: Annotated[int, Field(ge=1)] | None = None
    """Matches at most; None = 35% of a round robin for the top, 50% for the order, and at least 2 x candidates or the round robin."""
    batch: Annotated[int, Field(ge=1)] | None = None
    """Matches per round; None = half as many as candidates. Larger fills an engine better and learns less from each match."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Stop once the leader is the best with this probability, or an average pair is in the right order with it."""
    prior: Annotated[float, Field(gt=0)] = 0.3
    """While pairing: weight of the penalty prior x sum(skill^2), skill in nats; smaller trusts the first results more."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """At most `budget` matches; ratings on the Elo scale with mean 1000 and a 95% interval each."""
        rng = random.Random(seed)
        results: list[tuple[Match, Outcome]] = []
        budget = self.matches(size) if size > 1 else 0
        while len(results) < budget:
            beliefs = _Beliefs(self.rate(size, results, prior=self.prior), [match for match, _ in results], rng)
            if results and beliefs.doubt(self.aim) <= 1 - self.confidence:
                break
            matches = [beliefs.next_match(self.aim) for _ in range(min(self.batch or size // 2, budget - len(results)))]
            results += zip(matches, (yield matches), strict=True)
        ratings = self.rate(size, results, prior=None)
        return Ranking.best_first(ratings.values, rng, ratings.intervals)

    def matches(self, size: int) -> int:
        """The most matches that it plays among so many candidates."""
        pairs = size * (size - 1) // 2
        return self.budget or min(pairs, max(math.ceil(SHARES[self.aim] * pairs), 2 * size))


class _Beliefs:
    """What is known about all skills, in nats, as it will be once the matches asked for are played."""

    def __init__(self, ratings: Ratings, played: list[Match], rng: random.Random) -> None:
        import numpy as np

        size = len(ratings.values)
        self.skill_N: Array = np.array(ratings.values) / ratings.SCALE
        self.covariance_NN: Array = np.array(ratings.covariance) / ratings.SCALE**2
        self.met_NN = np.zeros((size, size))
        self.firsts = [0] * size
        for match in played:
            self._count(match)
        self.luck_NN: Array = 1 + 1e-6 * np.random.default_rng(rng.getrandbits(64)).random((size, size))

    def next_match(self, aim: Literal["top", "order"]) -> Match:
        """The pair that settles most; in the first slot whoever stood there less often."""
        import numpy as np

        spread_NN, lead_NN = self._spread(), self.skill_N[:, None] - self.skill_N[None, :]
        chance_NN = 1 / (1 + np.exp(-lead_NN))
        information_NN = chance_NN * (1 - chance_NN)
        settled_NN = information_NN * spread_NN / (1 + information_NN * spread_NN)
        worth_NN = self._weight(aim) * settled_NN * self.luck_NN
        np.fill_diagonal(worth_NN, -1)
        one, other = (int(place) for place in np.unravel_index(worth_NN.argmax(), worth_NN.shape))
        apart_N = self.covariance_NN[:, one] - self.covariance_NN[:, other]
        self.covariance_NN = self.covariance_NN - np.outer(apart_N, apart_N) * settled_NN[one, other] / spread_NN[one, other]
        match = Match(one, other) if self.firsts[one] <= self.firsts[other] else Match(other, one)
        self._count(match)
        return match

    def doubt(self, aim: Literal["top", "order"]) -> float:
        """Probability, at most, that the leader is not the best; or that an average pair is in the wrong order."""
        size = len(self.skill_N)
        if aim == "top":
            return float(self._wrong(self.skill_N.argmax()).sum())
        return float(self._wrong().sum() / (size * (size - 1)))

    def _weight(self, aim: Literal["top", "order"]) -> Array:
        import numpy as np

        if aim == "order":
            met_NN = self.met_NN + np.diag([np.inf] * len(self.met_NN))
            return np.where(met_NN == met_NN.min(), self._wrong(), 0.0)
        leader = self.skill_N.argmax()
        best_N = self._wrong(leader)
        best_N[leader] = 0.5
        weight_NN: Array = np.outer(best_N, best_N)
        return weight_NN

    def _wrong(self, candidate: int | None = None) -> Array:
        """Probability of every pair to be in the wrong order, or of those of one candidate, shape (N,); 0 for a candidate with itself."""
        import numpy as np

        lead_NN, spread_NN = np.abs(self.skill_N[:, None] - self.skill_N[None, :]), self._spread()
        np.fill_diagonal(lead_NN, np.inf)
        rows = slice(None) if candidate is None else candidate
        erfc = np.frompyfunc(math.erfc, 1, 1)
        wrong: Array = erfc(lead_NN[rows] / np.sqrt(2 * spread_NN[rows])).astype(float) / 2
        return wrong

    def _spread(self) -> Array:
        """Variance of every pair's difference, in squared nats."""
        import numpy as np

        variance_N = self.covariance_NN.diagonal()
        spread_NN: Array = np.maximum(variance_N[:, None] + variance_N[None, :] - 2 * self.covariance_NN, 1e-12)
        return spread_NN

    def _count(self, match: Match) -> None:
        self.met_NN[match.first, match.second] += 1
        self.met_NN[match.second, match.first] += 1
        self.firsts[match.first] += 1
