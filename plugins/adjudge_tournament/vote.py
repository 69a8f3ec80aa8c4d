"""`vote`: each pair is judged several times, and the majority decides.

RRM samples a comparison several times and takes the majority, 5 votes on PPE and 16 on RewardBench, each in random order. Here
the slots alternate between votes, which is a random order without its bad luck, and with more than two candidates every pair is
voted on and pairs won are counted. A pair without a majority counts as half a pair each. Votes inside another scheme are an
argument of `adjudge.tournament.play`; this scheme is for when the vote is all there is.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Aggregator, Match, Outcome, Ranking

from .round_robin import POINTS, all_pairs


class Vote(Aggregator):
    """Every pair is judged `samples` times; ranked by pairs won by majority."""

    use: Literal["vote"] = "vote"
    samples: Annotated[int, Field(ge=1)] = 5
    """Votes per pair; an odd number leaves no draws but those of the judge."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """One round of samples x size x (size - 1) / 2 matches; a rating is the number of pairs won, at most size - 1."""
        rng = random.Random(seed)
        won = [0.0] * size
        leads: dict[tuple[int, int], float] = {}
        if matches := all_pairs(size, rng, self.samples):
            for match, outcome in zip(matches, (yield matches), strict=True):
                pair = min(match.first, match.second), max(match.first, match.second)
                lead = POINTS[outcome] - 0.5
                leads[pair] = leads.get(pair, 0.0) + (lead if match.first == pair[0] else -lead)
        for (one, other), lead in leads.items():
            won[one] += 0.5 if lead == 0 else lead > 0
            won[other] += 0.5 if lead == 0 else lead < 0
        return Ranking.best_first(won, rng)
