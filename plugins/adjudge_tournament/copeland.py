"""`copeland`: everybody meets everybody, and the rating is pairs won minus pairs lost, as a share of the pairs.

OpenJudge rewards a group by net win rate, wins minus losses over all pairs, in [-1, 1], and can ask in both orders and leave out
the pairs whose two verdicts disagree. Here a judge with `order: both` does that for every scheme, and such a pair, being a draw,
adds nothing to either side. With more than one meeting a pair counts once, for whoever is ahead in it: that is Copeland's rule
of 1951, and what sets it apart from `round-robin`, where a pair won 3 to 0 weighs more than one won 2 to 1.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Aggregator, Match, Outcome, Ranking

from .pairs import leads, pairs_won
from .round_robin import all_pairs


class Copeland(Aggregator):
    """All pairs meet; ranked by pairs won minus pairs lost."""

    use: Literal["copeland"] = "copeland"
    meetings: Annotated[int, Field(ge=1)] = 1
    """How often each pair meets; slots alternate between meetings."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """One round of meetings x size x (size - 1) / 2 matches; a rating is in [-1, 1], 0 being an even record."""
        rng = random.Random(seed)
        matches = all_pairs(size, rng, self.meetings)
        if not matches:
            return Ranking.best_first([0.0] * size, rng)
        won = pairs_won(size, leads(zip(matches, (yield matches), strict=True)))
        return Ranking.best_first([2 * pairs / (size - 1) - 1 for pairs in won], rng)
