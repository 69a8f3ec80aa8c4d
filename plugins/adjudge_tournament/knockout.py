"""`knockout`: pairs are drawn, winners go on, and the last one left is the best of N, for N-1 matches in about log2 N rounds.

RRM's bracket draws random pairs in each round and lets one of each pair advance. Byes and bracket sizes are not described;
PairJudge gives one random candidate a bye when the number is odd and draws anew in every round, and so do we. What is different
here: everything is seeded, the slots are drawn too, and a draw is decided by a seeded coin. The known ports let the first slot
advance when a verdict is a draw or cannot be read, which rewards standing first.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Literal

from adjudge import Aggregator, Match, Outcome, Ranking


class Knockout(Aggregator):
    """Random pairs, winners go on, random bye when odd; ranked by rounds survived."""

    use: Literal["knockout"] = "knockout"

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """size - 1 matches; a rating is the number of rounds survived, byes included, and only the first place is settled."""
        rng = random.Random(seed)
        survived = [0.0] * size
        alive = list(range(size))
        while len(alive) > 1:
            rng.shuffle(alive)
            matches = [Match(*pair) for pair in zip(alive[::2], alive[1::2], strict=False)]
            bye = alive[len(matches) * 2 :]
            outcomes = yield matches
            alive = bye + [_winner(match, outcome, rng) for match, outcome in zip(matches, outcomes, strict=True)]
            for candidate in alive:
                survived[candidate] += 1
        return Ranking.best_first(survived, rng)


def _winner(match: Match, outcome: Outcome, rng: random.Random) -> int:
    if outcome == Outcome.TIE:
        return rng.choice((match.first, match.second))
    return match.first if outcome == Outcome.FIRST else match.second
