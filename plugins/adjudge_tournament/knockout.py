"""`knockout`: pairs are drawn, winners go on, and the last one left is the best of N, for N-1 pairings in about log2 N rounds.

RRM's bracket draws random pairs in each round and lets one of each pair advance. Byes and bracket sizes are not described;
PairJudge gives one random candidate a bye when the number is odd and draws anew in every round, and so do we. What is different
here: everything is seeded, the slots are drawn too, a pairing may be a best of three or five, and one that ends level is decided
by a seeded coin. The known ports let the first slot advance when a verdict is a draw or cannot be read, which rewards standing
first. PairJudge's coin for two answers that are the same needs nothing here: whoever drives the tournament makes them a free draw.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Literal

from adjudge import Match, Outcome, Ranking

from .soft import SoftAggregator


class Knockout(SoftAggregator):
    """Random pairs, winners go on, random bye when odd; ranked by rounds survived."""

    use: Literal["knockout"] = "knockout"
    best_of: Literal[1, 3, 5] = 1
    """Most matches of a pairing, slots alternating; no more are played once the leader cannot be caught up with."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """size - 1 pairings; a rating is the number of rounds survived, byes included, and only the first place is settled."""
        rng = random.Random(seed)
        survived = [0.0] * size
        alive = list(range(size))
        while len(alive) > 1:
            rng.shuffle(alive)
            pairings = list(zip(alive[::2], alive[1::2], strict=False))
            bye = alive[len(pairings) * 2 :]
            leads = yield from self._play(pairings)
            alive = bye + [_winner(pairing, lead, rng) for pairing, lead in zip(pairings, leads, strict=True)]
            for candidate in alive:
                survived[candidate] += 1
        return Ranking.best_first(survived, rng)

    def _play(self, pairings: list[tuple[int, int]]) -> Generator[list[Match], list[Outcome], list[float]]:
        """By how many points the first of every pairing is ahead in the end; all pairings that are still open play together."""
        leads = [0.0] * len(pairings)
        left: list[int] = [self.best_of] * len(pairings)
        while True:
            turns = [turn for turn in range(len(pairings)) for _ in range(_needed(abs(leads[turn]), left[turn]))]
            if not turns:
                return leads
            matches = []
            for turn in turns:
                one, other = pairings[turn]
                matches.append(Match(one, other) if left[turn] % 2 else Match(other, one))
                left[turn] -= 1
            for turn, match, outcome in zip(turns, matches, (yield matches), strict=True):
                lead = 2 * outcome.points - 1
                leads[turn] += lead if match.first == pairings[turn][0] else -lead


def _needed(ahead: float, left: int) -> int:
    """The fewest further matches that could put a leader out of reach: to be played at once, as none of them can be saved."""
    return next((more for more in range(left + 1) if ahead + more > left - more), left)


def _winner(pairing: tuple[int, int], lead: float, rng: random.Random) -> int:
    if lead == 0:
        return rng.choice(pairing)
    return pairing[0] if lead > 0 else pairing[1]
