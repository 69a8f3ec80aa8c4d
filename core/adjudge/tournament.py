"""Drives aggregators with a judge: one engine batch per wave for all groups; order swaps, votes, replays and budgets for every scheme."""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .budget import Budget, Purse, Spent
from .components import Aggregator, Judge, Session
from .duel import Duel, Played
from .errors import PluginError, blamed_on
from .judging import Ask, sample_paths
from .ratings import bradley_terry
from .records import Match, Outcome, Path, Problem, Ranking, stable_seed
from .voting import Voting

Rounds = Generator[list[Match], list[Outcome], Ranking]


@dataclass
class Tournament:
    """One group's result with all its matches."""

    problem: Problem
    ranking: Ranking
    played: list[Played] = field(default_factory=list)
    stopped: Spent | None = None
    """Which limit of the budget ended it; None when the scheme came to its end."""
    rated_by: str = ""
    """Whose scale the ratings are on: the scheme's, or ``bradley-terry`` when it was stopped or a match was dropped."""

    @property
    def inconsistent(self) -> int | None:
        """Votes that changed with the order; None when none was shown in both."""
        counts = [one.inconsistent for one in self.played if one.inconsistent is not None]
        return sum(counts) if counts else None


def play(
    problems: Sequence[Problem],
    aggregator: Aggregator,
    judge: Judge,
    session: Session,
    *,
    seed: int = 0,
    voting: Voting | None = None,
    budget: Budget | None = None,
) -> list[Tournament]:
    """Rank the answers of every problem, each within a budget of its own.

    Every wave asks the engine, in one call, for the votes that no match in play can do without, of all groups together. Each
    group goes on as soon as its own round is over, and its result does not depend on the company it is ranked in.
    """
    groups = [_Group(problem, aggregator, judge, voting or Voting(), budget or Budget(), seed) for problem in problems]
    while asks := {ask.id: ask for group in groups for ask in group.ask()}:
        made = {path.id: path for path in sample_paths(session, judge, list(asks.values()))}
        for group in groups:
            group.take(made)
    return [group.result for group in groups if group.result is not None]


class _Group:
    """One problem's tournament under way."""

    def __init__(self, problem: Problem, aggregator: Aggregator, judge: Judge, voting: Voting, budget: Budget, seed: int) -> None:
        self.problem, self.aggregator, self.judge, self.voting, self.seed = problem, aggregator, judge, voting, seed
        self.purse = Purse(budget, judge)
        self.number = -1
        self.duels: list[Duel] = []
        self.asked: list[tuple[Duel, list[Ask]]] = []
        self.history: list[Played] = []
        self.stopped: Spent | None = None
        self.result: Tournament | None = None
        with blamed_on(aggregator, "tournament"):
            self.rounds = aggregator.tournament(len(problem.answers), stable_seed("tournament", problem.id, seed))
        self._advance(None)

    def ask(self) -> list[Ask]:
        """The judgements that it cannot go on without; none once it has its result."""
        self.asked = []
        while self.result is None and not self.asked:
            self.asked = self._affordable()
            if not self.asked:
                self._close_round()
        return [ask for _, asks in self.asked for ask in asks]

    def take(self, made: Mapping[str, Path]) -> None:
        """Count the votes that it asked for."""
        for duel, asks in self.asked:
            votes = duel.take([made[ask.id] for ask in asks])
            self.purse.settle(votes, (made[ask.id] for ask in asks))

    def _affordable(self) -> list[tuple[Duel, list[Ask]]]:
        """Votes to ask for now, the first matches of the round before the later ones."""
        asked = []
        for duel in self.duels:
            wanted = duel.wanted()
            votes = self.purse.reserve(wanted)
            if votes:
                asked.append((duel, duel.ask(votes)))
            if votes < wanted:
                break
        return asked

    def _close_round(self) -> None:
        """What was played is over; what was not has no place in the budget."""
        played = [duel.played(self.problem) for duel in self.duels if duel.votes or duel.free]
        self.history += played
        if any(duel.wanted() for duel in self.duels):
            self.stopped = "tokens"
        if self.stopped is None:
            # A scheme is told a draw where a match was dropped, so that it can go on pairing; its ranking is then not used.
            return self._advance([Outcome.TIE if one.dropped else one.outcome for one in played])
        with blamed_on(self.aggregator, "tournament"):
            self.rounds.close()
        return self._finish(None)

    def _advance(self, outcomes: list[Outcome] | None) -> None:
        size = len(self.problem.answers)
        with blamed_on(self.aggregator, "tournament"):
            try:
                matches = next(self.rounds) if outcomes is None else self.rounds.send(outcomes)
                self._open(_check_matches(self.aggregator, matches, size))
            except StopIteration as end:
                self._finish(check_ranking(self.aggregator, end.value, size))

    def _open(self, matches: Sequence[Match]) -> None:
        self.number += 1
        self.duels = []
        for place, match in enumerate(matches):
            pair = self.problem.pair(match.first, match.second)
            duel = Duel(pair, match, self.judge, self.voting, self.seed, ("match", self.number, place))
            if not (duel.free or self.purse.takes_match()):
                self.stopped = "matches"
                return
            self.duels.append(duel)

    def _finish(self, ranking: Ranking | None) -> None:
        by = self.aggregator.use
        if ranking is None or any(one.dropped for one in self.history):
            by = "bradley-terry"
            ranking = rank_played(self.problem, self.history, stable_seed("ranking", self.problem.id, self.seed))
        self.result = Tournament(self.problem, ranking, self.history, self.stopped, by)


def rank_played(problem: Problem, played: Iterable[Played], seed: int) -> Ranking:
    """The best ranking that these matches allow, whichever scheme asked for them: Bradley-Terry, on the Elo scale, with intervals.

    The prior is left open, because a scheme may have chosen its pairs by earlier results.
    """
    results = [(one.match, one.outcome) for one in played if not one.dropped]
    ratings = bradley_terry(len(problem.answers), results, prior=None)
    return Ranking.best_first(ratings.values, random.Random(seed), ratings.intervals)


def _check_matches(aggregator: Aggregator, yielded: Iterable[Match], size: int) -> list[Match]:
    matches = list(yielded)
    for match in matches:
        if not (0 <= match.first < size and 0 <= match.second < size and match.first != match.second):
            raise PluginError(
                f"aggregator {aggregator.use!r} asked for {match} among {size} candidates.\n  Remedy: pair two different candidates."
            )
    if not matches:
        raise PluginError(f"aggregator {aggregator.use!r} yielded a round without matches.\n  Remedy: return the ranking instead.")
    return matches


def check_ranking(aggregator: Aggregator, ranking: Ranking, size: int) -> Ranking:
    """A ranking that names every candidate once, with a finite rating for each, and with an interval for each or for none."""
    named = isinstance(ranking, Ranking) and sorted(ranking.order) == list(range(size)) and len(ranking.ratings) == size
    if not (named and all(map(math.isfinite, ranking.ratings)) and _intervals_fit(ranking, size)):
        raise PluginError(
            f"aggregator {aggregator.use!r} returned {ranking!r}, not a ranking of {size} candidates.\n"
            "  Remedy: return a Ranking that names every candidate once, with a finite rating for each; intervals are"
            " (low, high) for each, or None."
        )
    return ranking


def _intervals_fit(ranking: Ranking, size: int) -> bool:
    intervals = ranking.intervals
    return intervals is None or (len(intervals) == size and all(low <= high for low, high in intervals))
