"""Promises that all schemes make: they end, pair legally, rank everybody once, repeat for a seed, and favour no place in the list."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adjudge_tournament
from adjudge import Aggregator, Outcome, Plugins
from adjudge.host.plugins import Source
from adjudge.testing import Decide, check_aggregator, play_with
from adjudge_tournament import Active, Copeland, Elo, Knockout, RoundRobin, Vote

SCHEMES: list[Aggregator] = [
    RoundRobin(),
    RoundRobin(meetings=2),
    Elo(),
    Elo(rating="online", shuffles=4),
    Knockout(),
    Knockout(best_of=3),
    Copeland(meetings=2),
    Vote(samples=3),
    Active(),
    Active(aim="order", batch=3),
]
WHOLE_ORDER = [Copeland(), RoundRobin(), RoundRobin(meetings=3), Elo(), Elo(meetings=2), Elo(rating="online"), Vote(samples=2)]
DECIDED = (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)


def named(aggregator: Aggregator) -> str:
    return "-".join(str(value) for value in aggregator.model_dump(exclude_defaults=True, exclude={"use"}).values()) or aggregator.use


def oracle(strength: Sequence[float]) -> Decide:
    """A judge that never errs."""

    def decide(one: int, other: int) -> Outcome:
        if strength[one] == strength[other]:
            return Outcome.TIE
        return Outcome.FIRST if strength[one] > strength[other] else Outcome.SECOND

    return decide


def noise(seed: int) -> Decide:
    """A judge that says anything, the same each time it is asked in the same sequence."""
    rng = random.Random(seed)
    return lambda one, other: rng.choice(DECIDED)


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_keeps_the_promises_of_an_aggregator(scheme: Aggregator) -> None:
    check_aggregator(scheme, sizes=(1, 2, 3, 4, 5, 7, 8, 13))


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
@settings(max_examples=40, deadline=None)
@given(size=st.integers(0, 9), seed=st.integers(0, 2**63), whims=st.integers(0, 1000))
def test_any_judge_at_all_ends_in_a_legal_ranking(scheme: Aggregator, size: int, seed: int, whims: int) -> None:
    ranking, played = play_with(scheme, size, noise(whims), seed)
    assert sorted(ranking.order) == list(range(size))
    assert all(0 <= match.first < size and 0 <= match.second < size and match.first != match.second for match in played)
    best_first = [ranking.ratings[candidate] for candidate in ranking.order]
    assert best_first == sorted(best_first, reverse=True)
    assert (ranking, played) == play_with(scheme, size, noise(whims), seed)


@pytest.mark.parametrize("scheme", WHOLE_ORDER, ids=named)
@settings(max_examples=25, deadline=None)
@given(strength=st.permutations(range(9)), size=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_a_judge_that_never_errs_gives_the_whole_order(scheme: Aggregator, strength: list[int], size: int, seed: int) -> None:
    strength = strength[:size]
    ranking, _ = play_with(scheme, size, oracle(strength), seed)
    assert list(ranking.order) == sorted(range(size), key=lambda candidate: -strength[candidate])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_candidate_alone_is_ranked_without_a_match(scheme: Aggregator) -> None:
    ranking, played = play_with(scheme, 1, noise(0))
    assert ranking.order == (0,)
    assert played == []


@pytest.mark.parametrize("scheme", [RoundRobin(), Elo(), Copeland(), Active(aim="order", confidence=0.9999), Vote(samples=2)], ids=named)
def test_a_cycle_leaves_everybody_equal(scheme: Aggregator) -> None:
    ranking, _ = play_with(scheme, 3, lambda one, other: Outcome.FIRST if (other - one) % 3 == 1 else Outcome.SECOND)
    assert len(set(ranking.ratings)) == 1


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
@pytest.mark.parametrize("always", DECIDED)
def test_no_place_in_the_list_is_an_advantage(scheme: Aggregator, always: Outcome) -> None:
    """With nothing but ties, or a judge that always takes one slot, each of 4 candidates wins about 1 in 4 of 400 seeded tournaments."""
    winners = Counter(play_with(scheme, 4, lambda one, other: always, seed)[0].order[0] for seed in range(400))
    assert set(winners) == {0, 1, 2, 3}
    assert all(65 <= count <= 135 for count in winners.values()), winners  # 100 plus or minus four standard deviations


@pytest.mark.parametrize("scheme", [RoundRobin(), Elo(), Vote(samples=1), Vote(samples=4)], ids=named)
@pytest.mark.parametrize("size", [2, 5, 8])
def test_each_candidate_stands_first_as_often_as_second(scheme: Aggregator, size: int) -> None:
    _, played = play_with(scheme, size, noise(1), seed=5)
    first, second = Counter(match.first for match in played), Counter(match.second for match in played)
    assert all(abs(first[candidate] - second[candidate]) <= 1 for candidate in range(size))


def test_the_schemes_are_installed_by_name() -> None:
    plugins = Plugins()
    plugins.add(adjudge_tournament, Source("adjudge_tournament", "adjudge", "0"))
    names = ["active", "copeland", "elo", "knockout", "pivot", "round-robin", "single-elimination", "vote"]
    assert list(plugins.of_kind(Aggregator)) == names
