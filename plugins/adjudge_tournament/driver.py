"""Drives aggregators with a judge: one engine batch per wave for all groups; order swaps, votes, replays and budgets for every scheme."""

import random
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adjudge import (
    Aggregator,
    Judge,
    JudgeRequest,
    Match,
    Outcome,
    PluginError,
    Problem,
    Ranking,
    ReasoningPath,
    Session,
    boundary,
    check_ranking,
    sample_paths,
    stable_seed,
)  # fmt: skip

from .budget import Budget, BudgetTracker, StopReason
from .match import MatchResult, OpenMatch
from .rated import keeps_ties
from .ratings import bradley_terry
from .soft import is_soft, sent
from .ties import davidson
from .voting import Voting

Rounds = Generator[list[Match], list[Outcome], Ranking]


@dataclass
class TournamentResult:
    """One group's result with all its matches."""

    problem: Problem
    ranking: Ranking
    played: list[MatchResult] = field(default_factory=list)
    stopped: StopReason | None = None
    """Which limit of the budget ended it; None when the scheme came to its end."""
    rated_by: str = ""
    """Whose scale the ratings are on: the scheme's; when it was stopped or a match was dropped, ``bradley-terry``, or ``davidson`` where
    the scheme takes ties for an outcome of their own."""

    def _repr_html_(self) -> str:
        from adjudge_report import ranking_html

        return ranking_html(self)

    @property
    def inconsistent(self) -> int | None:
        """Votes that changed with the order; None when none was shown in both."""
        counts = [one.inconsistent for one in self.played if one.inconsistent is not None]
        return sum(counts) if counts else None


def play(
    problems: Sequence[Problem], aggregator: Aggregator, judge: Judge, session: Session,
    *, seed: int = 0, voting: Voting | None = None, budget: Budget | None = None,
) -> list[TournamentResult]:  # fmt: skip
    """Rank the answers of every problem, each within a budget of its own.

    Every wave asks the engine, in one call, for the votes that no match in play can do without, of all groups together. Each
    group goes on as soon as its own round is over, and its result does not depend on the other groups."""
    return list(play_each(problems, aggregator, judge, session, seed=seed, voting=voting, budget=budget))


def play_each(
    problems: Iterable[Problem], aggregator: Aggregator, judge: Judge, session: Session,
    *, seed: int = 0, voting: Voting | None = None, budget: Budget | None = None, at_once: int = sys.maxsize,
) -> Iterator[TournamentResult]:  # fmt: skip
    """As `play`, each result as soon as it and those before it are known.

    Groups of about `at_once` answers in all are in play together; another one begins when the first of them has its result."""
    waiting, groups, answers = iter(problems), deque[_Group](), 0
    while True:
        while answers < at_once and (problem := next(waiting, None)) is not None:
            groups.append(_Group(problem, aggregator, judge, voting or Voting(), budget or Budget(), seed))
            answers += len(problem.answers)
        if not groups:
            return
        requests = {request.id: request for group in groups for request in group.requests()}
        while groups and (result := groups[0].result) is not None:
            answers -= len(groups.popleft().problem.answers)
            yield result
        if requests:
            made = {path.id: path for path in sample_paths(session, judge, list(requests.values()))}
            for group in groups:
                group.take(made)


class _Group:
    """One problem's tournament under way."""

    def __init__(self, problem: Problem, aggregator: Aggregator, judge: Judge, voting: Voting, budget: Budget, seed: int) -> None:
        self.problem, self.aggregator, self.judge, self.voting, self.seed = problem, aggregator, judge, voting, seed
        self.tracker = BudgetTracker(budget, judge)
        self.number = -1
        self.open_matches: list[OpenMatch] = []
        self.requested: list[tuple[OpenMatch, list[JudgeRequest]]] = []
        self.history: list[MatchResult] = []
        self.stopped: StopReason | None = None
        self.result: TournamentResult | None = None
        with boundary(aggregator, "tournament"):
            self.rounds = aggregator.tournament(len(problem.answers), stable_seed("tournament", problem.id, seed))
        self._advance(None)

    def requests(self) -> list[JudgeRequest]:
        """The judgements that it cannot go on without; none once it has its result."""
        self.requested = []
        while self.result is None and not self.requested:
            self.requested = self._affordable()
            if not self.requested:
                self._close_round()
        return [request for _, requests in self.requested for request in requests]

    def take(self, made: Mapping[str, ReasoningPath]) -> None:
        """Count the votes that it asked for."""
        for open_match, requests in self.requested:
            votes = open_match.take([made[request.id] for request in requests])
            self.tracker.settle(votes, (made[request.id] for request in requests))

    def _affordable(self) -> list[tuple[OpenMatch, list[JudgeRequest]]]:
        """Votes to ask for now, the first matches of the round before the later ones."""
        requested = []
        for open_match in self.open_matches:
            wanted = open_match.wanted()
            votes = self.tracker.reserve(wanted)
            if votes:
                requested.append((open_match, open_match.requests(votes)))
            if votes < wanted:
                break
        return requested

    def _close_round(self) -> None:
        """What was played is over; what was not has no place in the budget."""
        played = [open_match.played(self.problem) for open_match in self.open_matches if open_match.votes or open_match.free]
        self.history += played
        if any(open_match.wanted() for open_match in self.open_matches):
            self.stopped = "tokens"
        if self.stopped is None:
            # A scheme is told a draw where a match was dropped, so that it can go on pairing; its ranking is then not used.
            return self._advance([Outcome.TIE if one.dropped else sent(one) for one in played])
        with boundary(self.aggregator, "tournament"):
            self.rounds.close()
        return self._finish(None)

    def _advance(self, outcomes: list[Outcome] | None) -> None:
        size = len(self.problem.answers)
        with boundary(self.aggregator, "tournament"):
            try:
                matches = next(self.rounds) if outcomes is None else self.rounds.send(outcomes)
                self._open(_check_matches(self.aggregator, matches, size))
            except StopIteration as end:
                self._finish(check_ranking(self.aggregator, end.value, size))

    def _open(self, matches: Sequence[Match]) -> None:
        self.number += 1
        self.open_matches = []
        for place, match in enumerate(matches):
            pair = self.problem.pair(match.first, match.second)
            purpose = ("match", self.number, place)
            open_match = OpenMatch(pair, match, self.judge, self.voting, self.seed, purpose, soft=is_soft(self.aggregator))
            if not (open_match.free or self.tracker.takes_match()):
                self.stopped = "matches"
                return
            self.open_matches.append(open_match)

    def _finish(self, ranking: Ranking | None) -> None:
        by = self.aggregator.use
        if ranking is None or any(one.dropped for one in self.history):
            apart = keeps_ties(self.aggregator)
            by = "davidson" if apart else "bradley-terry"
            ranking = rank_played(self.problem, self.history, stable_seed("ranking", self.problem.id, self.seed), ties=apart)
        self.result = TournamentResult(self.problem, ranking, self.history, self.stopped, by)


def rank_played(problem: Problem, played: Iterable[MatchResult], seed: int, *, ties: bool = False) -> Ranking:
    """The best ranking that these matches allow, whichever scheme asked for them: Bradley-Terry, on the Elo scale, with intervals.

    Davidson's model where `ties` are an outcome of their own. The prior is left open, because a scheme may have chosen its pairs by
    earlier results."""
    results = [(one.match, sent(one)) for one in played if not one.dropped]
    ratings = (davidson if ties else bradley_terry)(len(problem.answers), results, prior=None)
    return Ranking.best_first(ratings.values, random.Random(seed), ratings.intervals)


def _check_matches(aggregator: Aggregator, yielded: Iterable[Match], size: int) -> list[Match]:
    who, matches = f"aggregator {aggregator.use!r}", list(yielded)
    for match in matches:
        if not (0 <= match.first < size and 0 <= match.second < size and match.first != match.second):
            raise PluginError(f"{who} asked for {match} among {size} candidates.\n  Remedy: pair two different candidates.")
    if not matches:
        raise PluginError(f"{who} yielded a round without matches.\n  Remedy: return the ranking instead.")
    return matches
