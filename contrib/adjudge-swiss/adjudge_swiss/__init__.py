"""`swiss`: in every round neighbours in the standing meet who have not met yet, and nobody is dropped.

The pairing rule of Swiss-system chess tournaments in its simplest form, taken greedily from the top: no score groups, no colour
balance beyond a coin for the slots, no tie-break but the seed.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Aggregator, Match, Outcome, Ranking, hookimpl

__all__ = ["Swiss", "register_aggregators"]


class Swiss(Aggregator):
    """Neighbours in the standing meet who have not met; ranked by points."""

    later: ClassVar[frozenset[str]] = frozenset({"soft"})

    use: Literal["swiss"] = "swiss"
    soft: bool = False
    """Give points by the judge's probability that an answer is better, and not by who won."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """Rounds to play; None = log2 of the number of candidates, rounded up, which is enough to find the best."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """Rounds of size // 2 matches; a rating is the number of points, at most one per round, a rest included."""
        rng = random.Random(seed)
        points = [0.0] * size
        met: set[frozenset[int]] = set()
        rested: set[int] = set()
        for _ in range((self.rounds or (size - 1).bit_length()) if size > 1 else 0):
            standing = list(Ranking.best_first(points, rng).order)
            if size % 2:
                points[_rest(standing, rested)] += 1
            matches = [Match(*rng.sample(pair, 2)) for pair in _pairs(standing, met)]
            for match, outcome in zip(matches, (yield matches), strict=True):
                points[match.first] += outcome.points
                points[match.second] += 1 - outcome.points
        return Ranking.best_first(points, rng)


def _rest(standing: list[int], rested: set[int]) -> int:
    """Take the lowest candidate who has not rested out of the standing; when all have, everybody's turn starts again."""
    if len(rested) == len(standing):
        rested.clear()
    candidate = next(candidate for candidate in reversed(standing) if candidate not in rested)
    standing.remove(candidate)
    rested.add(candidate)
    return candidate


def _pairs(standing: list[int], met: set[frozenset[int]]) -> list[tuple[int, int]]:
    """From the top, each with the nearest below whom they have not met; with the nearest where all have been met."""
    pairs = []
    while standing:
        one = standing.pop(0)
        other = next((candidate for candidate in standing if frozenset((one, candidate)) not in met), standing[0])
        standing.remove(other)
        met.add(frozenset((one, other)))
        pairs.append((one, other))
    return pairs


@hookimpl
def register_aggregators() -> list[type[Aggregator]]:
    """One scheme."""
    return [Swiss]
