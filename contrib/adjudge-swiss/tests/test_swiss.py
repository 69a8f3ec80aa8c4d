"""Swiss keeps the promises of an aggregator, finds the best, repeats no pair needlessly, and lets everybody rest in turn."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from adjudge_swiss import Swiss
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import Aggregator, Match, Outcome, Plugins
from adjudge.testing import check_aggregator, play_with


def lower(one: int, other: int) -> Outcome:
    """The lower index wins."""
    return Outcome.FIRST if one < other else Outcome.SECOND


def rounds_of(played: list[Match], size: int) -> list[list[Match]]:
    return [played[start : start + size // 2] for start in range(0, len(played), size // 2)]


@pytest.mark.parametrize("scheme", [Swiss(), Swiss(rounds=7)])
def test_keeps_the_promises_of_an_aggregator(scheme: Swiss) -> None:
    check_aggregator(scheme, sizes=(1, 2, 3, 4, 5, 6, 7, 8, 11, 16))


def test_is_installed_under_its_name() -> None:
    entry = Plugins.load().of_kind(Aggregator)["swiss"]
    assert entry.cls is Swiss
    assert entry.source.distribution == "adjudge-swiss"


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 33), seed=st.integers(0, 2**32))
def test_the_best_alone_is_undefeated_after_log2_rounds(size: int, seed: int) -> None:
    ranking, played = play_with(Swiss(), size, lower, seed)
    rounds = (size - 1).bit_length()
    assert len(played) == rounds * (size // 2)
    assert ranking.order[0] == 0
    assert ranking.ratings.count(rounds) == 1


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 16), seed=st.integers(0, 2**32), whims=st.integers(0, 99), rounds=st.integers(1, 20))
def test_any_judge_gets_full_rounds_and_every_point_is_given(size: int, seed: int, whims: int, rounds: int) -> None:
    rng = random.Random(whims)
    outcomes = (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)
    ranking, played = play_with(Swiss(rounds=rounds), size, lambda one, other: rng.choice(outcomes), seed)
    for matches in rounds_of(played, size):
        assert len({candidate for match in matches for candidate in (match.first, match.second)}) == size // 2 * 2
    assert sum(ranking.ratings) == rounds * (size // 2 + size % 2)


def test_nobody_meets_twice_in_the_default_number_of_rounds_of_eight() -> None:
    _, played = play_with(Swiss(), 8, lower, seed=1)
    assert len({frozenset((match.first, match.second)) for match in played}) == len(played) == 12


def test_everybody_rests_once_before_anybody_rests_twice() -> None:
    _, played = play_with(Swiss(rounds=10), 5, lower, seed=4)
    rests = [({*range(5)} - {c for match in matches for c in (match.first, match.second)}).pop() for matches in rounds_of(played, 5)]
    assert set(rests[:5]) == set(range(5))
    assert set(Counter(rests).values()) == {2}


def test_no_place_in_the_list_is_an_advantage() -> None:
    winners = Counter(play_with(Swiss(), 5, lambda one, other: Outcome.FIRST, seed)[0].order[0] for seed in range(400))
    assert all(48 <= winners[candidate] <= 112 for candidate in range(5)), winners  # 80 plus or minus four standard deviations
