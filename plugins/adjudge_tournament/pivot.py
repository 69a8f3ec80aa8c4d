"""`pivot`: a ring first, then everybody meets the best of it: N + k(N - k) + k(k - 1)/2 comparisons, for k pivots.

The Probabilistic Pivot Tournament of LLM-as-a-Verifier (arXiv 2607.05391): every candidate meets its two neighbours in a ring that is
drawn, once in each slot; the k best of that are pivots, whom all others meet, and who meet each other. It takes the candidate with the
best mean preference, which compares means over different opponents: with a judge that never errs the choice was wrong in 19% of rings of
eight. Different here: all results together are rated by Bradley-Terry, with intervals, and candidates that nobody is ahead of meet in the
end until one is left, so that a judge that never errs finds the best.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Match, Outcome, Ranking

from .rated import RatedAggregator


class Pivot(RatedAggregator):
    """A ring, then all against its best; rated by Bradley-Terry."""

    use: Literal["pivot"] = "pivot"
    pivots: Annotated[int, Field(ge=1)] = 2
    """Candidates of the ring that all others meet."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """size + k x (size - k) + k x (k - 1) / 2 matches, less pairs that have met, and a few at the end; ratings on the Elo scale."""
        rng = random.Random(seed)
        results: list[tuple[Match, Outcome]] = []
        seats = rng.sample(range(size), size)
        ring = list(zip(seats, seats[1:] + seats[:1], strict=True))[: size if size > 2 else size - 1]
        yield from _play(results, ring)
        leaders = Ranking.best_first(self.rate(size, results, prior=PRIOR).values, rng).order[: self.pivots]
        yield from _play(results, _unmet(results, _against(leaders, size), rng))
        while last := list(_unmet(results, _neighbours(_unbeaten(size, results)), rng)):
            yield from _play(results, last)
        ratings = self.rate(size, results, prior=None)
        return Ranking.best_first(ratings.values, rng, ratings.intervals)


PRIOR = 0.3
"""While pivots are chosen: weight of the penalty prior x sum(skill^2), as in `active`."""


def _play(results: list[tuple[Match, Outcome]], pairs: list[tuple[int, int]]) -> Generator[list[Match], list[Outcome], None]:
    matches = [Match(*pair) for pair in pairs]
    if matches:
        results += zip(matches, (yield matches), strict=True)


def _against(leaders: tuple[int, ...], size: int) -> Iterator[tuple[int, int]]:
    yield from combinations(leaders, 2)
    yield from ((leader, other) for leader in leaders for other in range(size) if other not in leaders)


def _unmet(results: list[tuple[Match, Outcome]], pairs: Iterator[tuple[int, int]], rng: random.Random) -> list[tuple[int, int]]:
    """Those of the pairs that have not met, each in slots that are drawn."""
    met = {frozenset((match.first, match.second)) for match, _ in results}
    return [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs if frozenset(pair) not in met]


def _unbeaten(size: int, results: list[tuple[Match, Outcome]]) -> list[int]:
    """Whom nobody is ahead of."""
    beaten = {match.second for match, outcome in results if outcome.points > 0.5}
    beaten |= {match.first for match, outcome in results if outcome.points < 0.5}
    return [candidate for candidate in range(size) if candidate not in beaten]


def _neighbours(candidates: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs of those that follow each other, two by two."""
    return iter(zip(candidates[::2], candidates[1::2], strict=False))
