"""Soft matches: probabilities of 0 and 1 are wins, 1/2 is a tie, names do not matter, and margins say more than wins."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import (
    Aggregator,
    Completion,
    Judge,
    JudgeRequest,
    Match,
    Message,
    Order,
    Outcome,
    Problem,
    Ranking,
    ReasoningPath,
    Session,
    Verdict,
    Voting,
    as_reward,
    bradley_terry,
    check_ranking,
    play,
)
from adjudge.testing import check_aggregator, completion_of
from adjudge_tournament import Active, Elo, Knockout, Pivot, RoundRobin, SingleElimination, SoftOutcome

SCHEMES: list[Callable[[bool], Aggregator]] = [
    lambda soft: Elo(soft=soft),
    lambda soft: Elo(soft=soft, rating="online", shuffles=3),
    lambda soft: Knockout(soft=soft, best_of=3),
    lambda soft: Active(soft=soft),
    lambda soft: RoundRobin(soft=soft, meetings=2),
    lambda soft: Pivot(soft=soft),
    lambda soft: SingleElimination(soft=soft),
]
NAMES = ["elo", "online", "knockout", "active", "round-robin", "pivot", "single-elimination"]
POINTS = {0.0: Outcome.SECOND, 0.5: Outcome.TIE, 1.0: Outcome.FIRST}


def drive(scheme: Aggregator, size: int, points: Callable[[int, int], Any], seed: int) -> tuple[Ranking, list[Match]]:
    """A ranking by results that a function of both candidates gives."""
    rounds, played = scheme.tournament(size, seed), []
    try:
        matches = next(rounds)
        while True:
            played += matches
            matches = rounds.send([points(one.first, one.second) for one in matches])
    except StopIteration as end:
        return check_ranking(scheme, end.value, size), played


def table(size: int, seed: int, values: Sequence[float]) -> dict[tuple[int, int], float]:
    """What the first of every pair gets, the other getting the rest."""
    rng, found = random.Random(seed), {}
    for one in range(size):
        for other in range(one):
            found[one, other] = rng.choice(values)
            found[other, one] = 1 - found[one, other]
    return found


@pytest.mark.parametrize("scheme", SCHEMES, ids=NAMES)
@settings(max_examples=15)
@given(size=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_probabilities_of_0_half_and_1_are_what_wins_and_ties_are(scheme: Callable[[bool], Aggregator], size: int, seed: int) -> None:
    points = table(size, seed, (0.0, 0.5, 1.0))
    hard = drive(scheme(False), size, lambda one, other: POINTS[points[one, other]], seed)
    soft = drive(scheme(True), size, lambda one, other: SoftOutcome(points[one, other]), seed)
    assert hard == soft


@pytest.mark.parametrize("scheme", SCHEMES, ids=NAMES)
def test_a_half_everywhere_prefers_nobody(scheme: Callable[[bool], Aggregator]) -> None:
    ranking, _ = drive(scheme(True), 6, lambda one, other: SoftOutcome(0.5), 3)
    if scheme(True).use not in ("knockout", "single-elimination"):  # a bracket lets somebody go on, by a coin
        assert max(ranking.ratings) - min(ranking.ratings) < 1e-6
    winners = {drive(scheme(True), 6, lambda one, other: SoftOutcome(0.5), seed)[0].order[0] for seed in range(60)}
    assert winners == set(range(6))


@settings(max_examples=25)
@given(size=st.integers(2, 8), seed=st.integers(0, 2**32))
def test_other_names_for_the_candidates_give_the_same_ratings(size: int, seed: int) -> None:
    rng = random.Random(seed)
    points, names = table(size, seed, [0.02 * step for step in range(51)]), rng.sample(range(size), size)
    pairs = [Match(one, other) for one in range(size) for other in range(one)]
    plain = bradley_terry(size, [(pair, cast("Outcome", SoftOutcome(points[pair.first, pair.second]))) for pair in pairs])
    rng.shuffle(pairs)
    renamed = bradley_terry(
        size,
        [(Match(names[pair.second], names[pair.first]), cast("Outcome", SoftOutcome(points[pair.second, pair.first]))) for pair in pairs],
    )
    assert [renamed.values[names[one]] for one in range(size)] == pytest.approx(plain.values, abs=0.002)
    assert [renamed.intervals[names[one]] for one in range(size)] == [pytest.approx(one, abs=0.01) for one in plain.intervals]


@pytest.mark.parametrize("scheme", [SCHEMES[place] for place in (0, 2, 3, 4, 5, 6)], ids=[NAMES[place] for place in (0, 2, 3, 4, 5, 6)])
@settings(max_examples=20)
@given(size=st.integers(2, 12), seed=st.integers(0, 2**32))
def test_a_judge_that_knows_every_strength_finds_the_best(scheme: Callable[[bool], Aggregator], size: int, seed: int) -> None:
    strength = random.Random(seed).sample(range(size), size)
    ranking, _ = drive(scheme(True), size, lambda one, other: SoftOutcome(1 / (1 + 2.0 ** (strength[other] - strength[one]))), seed)
    assert strength[ranking.order[0]] == size - 1


def test_margins_order_what_wins_cannot() -> None:
    """0 beats 1 and 2 alike; only margins say that 1 came nearer to it."""
    points = {(0, 1): 0.6, (0, 2): 0.99, (1, 2): 0.5}
    results = [(Match(*pair), cast("Outcome", SoftOutcome(share))) for pair, share in points.items()]
    ratings = bradley_terry(3, results)
    assert ratings.values[0] > ratings.values[1] > ratings.values[2] + 50


def test_shares_are_read_from_an_array_too() -> None:
    import numpy as np

    results = [(Match(0, 1), cast("Outcome", SoftOutcome(0.7))), (Match(1, 2), Outcome.TIE)]
    assert bradley_terry(3, np.array([(0, 1, 0.7), (1, 2, 0.5)])) == bradley_terry(3, results)
    with pytest.raises(ValueError, match="share"):
        bradley_terry(2, np.array([(0, 1, 1.2)]))


@pytest.mark.parametrize("scheme", [Pivot(), Pivot(pivots=3), SingleElimination(), SingleElimination(anchor=0)])
def test_new_schemes_keep_the_promises_of_an_aggregator(scheme: Aggregator) -> None:
    check_aggregator(scheme, sizes=(1, 2, 3, 4, 5, 6, 7, 8, 11, 16))


@settings(max_examples=40)
@given(size=st.integers(3, 24), pivots=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_pivot_asks_for_what_its_formula_says_and_a_few_at_the_end(size: int, pivots: int, seed: int) -> None:
    strength = random.Random(seed).sample(range(size), size)
    ranking, played = drive(
        Pivot(pivots=pivots), size, lambda one, other: Outcome.FIRST if strength[one] > strength[other] else Outcome.SECOND, seed
    )
    most = size + pivots * (size - pivots) + pivots * (pivots - 1) // 2
    assert len({frozenset((one.first, one.second)) for one in played}) == len(played)
    assert len(played) <= most + size // 2
    assert strength[ranking.order[0]] == size - 1


def test_single_elimination_takes_two_knockouts_and_keeps_the_best_two_apart() -> None:
    for seed in range(30):
        played: list[Match]
        ranking, played = drive(SingleElimination(soft=True), 8, lambda one, other: SoftOutcome(1 / (1 + 2.0 ** (one - other))), seed)
        assert len(played) == 14
        assert ranking.order[:2] == (0, 1)
        assert {played[-1].first, played[-1].second} == {0, 1}


# With a judge, through the driver ------------------------------------------------------------------------------------------


class Surer(Judge):
    """Prefers the larger number, as surely as the numbers lie apart; shares of votes where it tells no probability."""

    use: Literal["surer"] = "surer"
    order: Literal["random", "both", "fixed"] = "random"
    tells: bool = True

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "user", "content": "|".join(problem.answers)}]

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text) if text in list(Outcome) else Outcome.UNREADABLE)

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        for one in requests:
            first, second = (float(answer) for answer in one.problem.answers[:: 1 if one.order == "given" else -1])
            share = 1 / (1 + 10 ** (second - first))
            said = share if self.tells else float(one.seed % 100 < 100 * share)
            outcome = Outcome.FIRST if said > 0.5 else Outcome.SECOND if said < 0.5 else Outcome.TIE
            verdict = Verdict(outcome, probability=share if self.tells else None)
            yield ReasoningPath(one.id, one.problem.id, one.order, one.index, completion_of(outcome.value), verdict)


class Silent:
    """A session that is never asked."""

    def sample(self, *args: Any, **options: Any) -> Iterator[tuple[int, Completion]]:
        raise AssertionError("nothing is sampled")


GROUP = Problem("g", "larger?", ("0.1", "0.5", "0.3", "0.9"))


@pytest.mark.parametrize("order", ["random", "both", "fixed"])
def test_probabilities_of_a_judge_reach_the_scheme_in_the_matchs_own_order(order: Any) -> None:
    [result] = play([GROUP], RoundRobin(soft=True), Surer(order=order), cast("Session", Silent()))
    numbers = [float(answer) for answer in GROUP.answers]
    for one in result.played:
        expected = 1 / (1 + 10 ** (numbers[one.match.second] - numbers[one.match.first]))
        assert one.probability == pytest.approx(expected)
        assert one.points == one.probability
    assert result.ranking.order == (3, 1, 2, 0)
    rates = as_reward(result, "win-rate")
    assert rates == pytest.approx(result.ranking.ratings)


def test_hard_schemes_count_who_won_whatever_the_judge_tells() -> None:
    [result] = play([GROUP], RoundRobin(), Surer(), cast("Session", Silent()))
    assert result.ranking.ratings == (0.0, 2 / 3, 1 / 3, 1.0)
    assert {one.probability for one in result.played} == {None}


def test_without_probabilities_a_soft_match_is_the_share_of_all_its_votes() -> None:
    voting = Voting(votes=9)
    [soft] = play([GROUP], RoundRobin(soft=True), Surer(tells=False), cast("Session", Silent()), voting=voting)
    [hard] = play([GROUP], RoundRobin(), Surer(tells=False), cast("Session", Silent()), voting=voting)
    for one in soft.played:
        assert len(one.votes) == 9
        assert one.probability == pytest.approx(sum(vote.points for vote in one.votes) / 9)
    assert any(0 < (one.probability or 0) < 1 for one in soft.played)
    assert sum(len(one.votes) for one in hard.played) < 9 * len(hard.played), "hard votes stop once the majority is settled"


def test_the_same_text_twice_is_a_half_that_costs_nothing() -> None:
    [result] = play([Problem("g", "?", ("0.3", "0.3"))], Elo(soft=True), Surer(), cast("Session", Silent()))
    assert [(one.probability, one.votes) for one in result.played] == [(0.5, ())]
