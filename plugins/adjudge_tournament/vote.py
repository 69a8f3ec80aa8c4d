"""`vote`: each pair is judged several times, and the majority decides.

RRM samples a comparison several times and takes the majority, 5 votes on PPE and 16 on RewardBench, each in random order. Here
the slots alternate between votes, which is a random order without its bad luck. With more than two candidates every pair is
voted on and pairs won are counted; or, pointwise, every candidate is compared with the first alone, as AlpacaEval compares with
one reference answer. A pair without a majority counts as half a pair each. Votes inside another scheme are `--votes` of
`adjudge rank`, with an early stop; this scheme is for when the vote is all there is.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Aggregator, Match, Outcome, Ranking

from .pairs import leads, pairs_won
from .round_robin import all_pairs


class Vote(Aggregator):
    """Pairs are judged `samples` times; ranked by pairs won by majority, or by the share of votes won from the first candidate."""

    use: Literal["vote"] = "vote"
    samples: Annotated[int, Field(ge=1)] = 5
    """Votes per pair; an odd number leaves no draws but those of the judge."""
    pointwise: bool = False
    """Compare every other candidate with the first alone, which should then be a reference answer: far fewer votes, and a coarser
    order, as two candidates that always beat the first are equal."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """One round of samples x size x (size - 1) / 2 votes; a rating is the number of pairs won, at most size - 1.

        Pointwise: samples x (size - 1) votes; a rating is a share of votes in [0, 1], and 0.5 for the first candidate.
        """
        rng = random.Random(seed)
        matches = self._against_first(size) if self.pointwise else all_pairs(size, rng, self.samples)
        ahead = leads(zip(matches, (yield matches), strict=True)) if matches else {}
        if self.pointwise:
            return Ranking.best_first([0.5 - ahead.get((0, candidate), 0.0) / (2 * self.samples) for candidate in range(size)], rng)
        return Ranking.best_first(pairs_won(size, ahead), rng)

    def _against_first(self, size: int) -> list[Match]:
        """Slots alternate between candidates and between votes."""
        turns = [(vote, other) for vote in range(self.samples) for other in range(1, size)]
        return [Match(0, other) if (vote + other) % 2 else Match(other, 0) for vote, other in turns]
