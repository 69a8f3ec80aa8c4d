"""Drives aggregators with a judge: one engine batch per round for all groups; order swaps, votes, replays and draws for every scheme."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

from .components import Aggregator, Judge, Session
from .errors import PluginError, blamed_on
from .judging import Ask, combine, plan_asks, sample_paths
from .records import Match, Outcome, Path, Problem, Ranking, stable_seed

Rounds = Generator[list[Match], list[Outcome], Ranking]


@dataclass(frozen=True, slots=True)
class Played:
    """A match as it went."""

    problem_id: str
    round: int
    match: Match
    outcome: Outcome
    """first, second or tie; failures have become draws."""
    undecided: bool
    """Whether no vote could be read, replays included, so that the draw is nobody's judgement."""
    path_ids: tuple[str, ...]
    tokens: int


@dataclass
class Tournament:
    """One group's result with all its matches."""

    problem: Problem
    ranking: Ranking
    played: list[Played] = field(default_factory=list)


def play(
    problems: Sequence[Problem],
    aggregator: Aggregator,
    judge: Judge,
    session: Session,
    *,
    seed: int = 0,
    votes: int = 1,
    replays: int = 1,
) -> list[Tournament]:
    """Rank the answers of every problem. Each match takes `votes` judgements and the majority of those that decide;
    one without any is played again up to `replays` times, and is then a draw that is marked `undecided`."""
    running: dict[int, Rounds] = {}
    results: dict[int, Tournament] = {}
    history: dict[int, list[Played]] = {index: [] for index in range(len(problems))}
    waiting: dict[int, list[Match]] = {}

    def advance(index: int, outcomes: list[Outcome] | None) -> None:
        size = len(problems[index].answers)
        with blamed_on(aggregator, "tournament"):
            try:
                if outcomes is None:
                    running[index] = aggregator.tournament(size, stable_seed("tournament", problems[index].id, seed))
                matches = next(running[index]) if outcomes is None else running[index].send(outcomes)
                waiting[index] = _check_matches(aggregator, matches, size)
            except StopIteration as end:
                waiting.pop(index, None)
                results[index] = Tournament(problems[index], check_ranking(aggregator, end.value, size), history[index])

    for index in range(len(problems)):
        advance(index, None)
    number = 0
    while waiting:
        todo = [(index, place, match) for index, matches in sorted(waiting.items()) for place, match in enumerate(matches)]
        played = _play_round(problems, todo, judge, session, seed=seed, number=number, votes=votes, replays=replays)
        by_group: dict[int, list[Played]] = {index: [] for index in waiting}
        for (index, _, _), one in zip(todo, played, strict=True):
            by_group[index].append(one)
        for index, matches in by_group.items():
            history[index] += matches
            advance(index, [one.outcome for one in matches])
        number += 1
    return [results[index] for index in range(len(problems))]


def _play_round(
    problems: Sequence[Problem], todo: Sequence[tuple[int, int, Match]], judge: Judge, session: Session,
    *, seed: int, number: int, votes: int, replays: int,
) -> list[Played]:  # fmt: skip
    """All matches of one global round, in as few engine calls as replays allow.

    A judgement's seed follows from its match's place in its own group, so a group's result does not depend on the company it is
    ranked in; two groups that are the same in everything share their judgements.
    """
    paths: list[list[Path]] = [[] for _ in todo]
    outcomes: list[Outcome | None] = [None] * len(todo)
    for attempt in range(replays + 1):
        asks: dict[str, Ask] = {}
        wanted: dict[int, list[str]] = {}
        for slot, (index, place, match) in enumerate(todo):
            if outcomes[slot] is None:
                pair = problems[index].pair(match.first, match.second)
                mine = plan_asks([pair], judge, samples=votes, seed=seed, purpose=["match", number, place, attempt])
                wanted[slot] = [ask.id for ask in mine]
                asks.update((ask.id, ask) for ask in mine)
        made = {path.id: path for path in sample_paths(session, judge, list(asks.values()))}
        for slot, ids in wanted.items():
            votes_cast = [made[ident] for ident in ids if ident in made]
            paths[slot] += votes_cast
            outcomes[slot] = majority(votes_cast)
    return [
        Played(
            problems[index].id, number, match, outcomes[slot] or Outcome.TIE, outcomes[slot] is None,
            tuple(path.id for path in paths[slot]), sum(len(path.completion.token_ids) for path in paths[slot]),
        )
        for slot, (index, _, match) in enumerate(todo)
    ]  # fmt: skip


def majority(paths: Sequence[Path]) -> Outcome | None:
    """The majority of the votes that decide, a tie where there is none; None when no vote decides."""
    votes: dict[int, list[Path]] = {}
    for path in paths:
        votes.setdefault(path.index, []).append(path)
    counts = Counter(outcome for vote in votes.values() if (outcome := combine(vote)).decided)
    if not counts:
        return None
    first, second = counts[Outcome.FIRST], counts[Outcome.SECOND]
    return Outcome.FIRST if first > second else Outcome.SECOND if second > first else Outcome.TIE


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
    """A ranking that names every candidate once, with a finite rating for each."""
    named = isinstance(ranking, Ranking) and sorted(ranking.order) == list(range(size)) and len(ranking.ratings) == size
    if not (named and all(map(math.isfinite, ranking.ratings))):
        raise PluginError(
            f"aggregator {aggregator.use!r} returned {ranking!r}, not a ranking of {size} candidates.\n"
            "  Remedy: return a Ranking that names every candidate once, with a finite rating for each."
        )
    return ranking
