"""`active` keeps to its budget and batches, spends matches where they matter, stops when it is sure, and beats chance to the top."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import Match, Outcome
from adjudge.testing import Decide, play_with
from adjudge_tournament import Active, RoundRobin


def higher(one: int, other: int) -> Outcome:
    return Outcome.FIRST if one > other else Outcome.SECOND


def noisy(skill: list[float], seed: int) -> Decide:
    """A Bradley-Terry judge of these skills in nats."""
    rng = random.Random(seed)
    return lambda one, other: Outcome.FIRST if rng.random() < 1 / (1 + math.exp(skill[other] - skill[one])) else Outcome.SECOND


def rounds_of(scheme: Active, size: int, decide: Decide) -> list[list[Match]]:
    rounds, played = scheme.tournament(size, 1), []
    try:
        matches = next(rounds)
        while True:
            played.append(matches)
            matches = rounds.send([decide(match.first, match.second) for match in matches])
    except StopIteration:
        return played


@settings(max_examples=25, deadline=None)
@given(size=st.integers(2, 12), budget=st.integers(1, 30), batch=st.integers(1, 12), seed=st.integers(0, 99))
def test_keeps_to_budget_and_batch(size: int, budget: int, batch: int, seed: int) -> None:
    sizes = [len(matches) for matches in rounds_of(Active(budget=budget, batch=batch), size, noisy([0.0] * size, seed))]
    assert sum(sizes) <= budget
    assert all(one == batch for one in sizes[:-1])


@pytest.mark.parametrize(("aim", "size", "most"), [("top", 16, 42), ("order", 16, 60), ("top", 5, 10), ("top", 2, 1), ("order", 3, 3)])
def test_the_default_budget_is_a_share_of_a_round_robin(aim: str, size: int, most: int) -> None:
    scheme = Active.model_validate({"aim": aim})
    assert scheme.matches(size) == most
    assert len(play_with(scheme, size, noisy([0.0] * size, 1))[1]) <= most


def test_stops_once_it_is_sure() -> None:
    """One candidate far above the rest, a judge that never errs, and all the budget in the world."""
    sure, doubtful = (len(play_with(Active(budget=500, confidence=level), 8, higher)[1]) for level in (0.95, 0.6))
    assert doubtful < sure < 500


def test_two_candidates_meet_until_one_is_ahead() -> None:
    clear = play_with(Active(budget=50), 2, higher)[1]
    even = play_with(Active(budget=50), 2, noisy([0.0, 0.0], 3))[1]
    assert len(clear) < len(even) <= 50


def test_matches_go_to_those_who_may_be_the_best() -> None:
    played = play_with(Active(), 16, noisy([float(place) for place in range(16)], 5))[1]
    met = Counter(candidate for match in played for candidate in (match.first, match.second))
    assert sum(met[candidate] for candidate in range(12, 16)) > 2 * sum(met[candidate] for candidate in range(4))


def test_order_meets_new_pairs_before_old_ones() -> None:
    played = play_with(Active(aim="order", confidence=0.9999), 10, noisy([0.0] * 10, 2))[1]
    assert len({frozenset((match.first, match.second)) for match in played}) == len(played)


def test_slots_are_balanced() -> None:
    played = play_with(Active(aim="order"), 12, noisy([0.0] * 12, 4))[1]
    first, second = Counter(match.first for match in played), Counter(match.second for match in played)
    assert all(abs(first[candidate] - second[candidate]) <= 4 for candidate in range(12))


@pytest.mark.parametrize("size", range(2, 14))
def test_a_judge_that_never_errs_finds_the_best_on_the_default_budget(size: int) -> None:
    for seed in range(4):
        strength = random.Random(seed).sample(range(size), size)
        ranking, _ = play_with(Active(), size, lambda one, other, s=strength: higher(s[one], s[other]), seed)  # type: ignore[misc]
        assert strength[ranking.order[0]] == size - 1


def test_finds_the_best_about_as_often_as_a_round_robin_with_a_third_of_its_matches() -> None:
    found = {"active": 0, "round-robin": 0}
    for seed in range(60):
        rng = random.Random(seed)
        skill = [rng.gauss(0, 3) for _ in range(16)]
        for scheme in (Active(), RoundRobin()):
            ranking, played = play_with(scheme, 16, noisy(skill, seed), seed)
            found[scheme.use] += skill[ranking.order[0]] == max(skill)
            assert len(played) <= (42 if scheme.use == "active" else 120)
    assert found["active"] >= found["round-robin"] - 3, found
