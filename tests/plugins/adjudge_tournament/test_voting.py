"""Votes: an early stop changes no majority and asks for nothing that could be saved; the sequential test errs as often as it says."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import beta

from adjudge import Outcome, Voting, majority
from adjudge_tournament.voting import leads

FIRST, SECOND, TIE, UNREADABLE = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE
ballots = st.lists(st.sampled_from(Outcome), min_size=1, max_size=15)
confidences = st.none() | st.floats(0.55, 0.99)


def cast_of(voting: Voting, votes: Sequence[Outcome], at_once: int | None = None) -> tuple[list[Outcome], int]:
    """The votes that are asked for when these would be given, and in how many waves; `at_once` bounds a wave."""
    cast: list[Outcome] = []
    waves = 0
    while more := voting.more(cast):
        cast += votes[len(cast) : len(cast) + min(more, at_once or more)]
        waves += 1
    return cast, waves


@given(ballots)
def test_stopping_early_never_changes_the_majority(votes: list[Outcome]) -> None:
    cast, _ = cast_of(Voting(votes=len(votes)), votes)
    assert majority(cast) == majority(votes)


@given(ballots)
def test_no_vote_is_asked_after_the_majority_is_settled(votes: list[Outcome]) -> None:
    """Before the last vote that was cast, the votes left could still have changed it."""
    cast, _ = cast_of(Voting(votes=len(votes)), votes)
    before, left = cast[:-1], len(votes) - len(cast) + 1
    ends = {majority([*before, *[vote] * left]) for vote in (FIRST, SECOND, TIE)}
    assert len(ends) > 1


@given(ballots, confidences, st.integers(1, 5))
def test_a_wave_asks_for_nothing_that_one_vote_at_a_time_would_save(votes: list[Outcome], confidence: float | None, minimum: int) -> None:
    voting = Voting(votes=len(votes), confidence=confidence if len(votes) > 1 else None, minimum=minimum)
    together, waves = cast_of(voting, votes)
    singly, steps = cast_of(voting, votes, at_once=1)
    assert together == singly
    assert waves <= steps


def test_unanimous_votes_take_one_wave() -> None:
    assert cast_of(Voting(votes=9), [FIRST] * 9) == ([FIRST] * 5, 1)
    assert cast_of(Voting(votes=9, confidence=0.9), [FIRST] * 9) == ([FIRST] * 3, 1)
    assert cast_of(Voting(votes=9, confidence=0.9, minimum=4), [FIRST] * 9) == ([FIRST] * 4, 1)
    assert cast_of(Voting(votes=9, confidence=0.9), [UNREADABLE] * 9)[0] == [UNREADABLE] * 9
    assert cast_of(Voting(votes=9, confidence=0.9), [TIE] * 9)[0] == [TIE] * 9


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_posterior_is_that_of_the_beta_distribution(ahead: int, behind: int) -> None:
    assert leads(ahead, behind) == pytest.approx(beta(ahead + 1, behind + 1).sf(0.5))


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_sequential_test_errs_no_more_often_than_it_says(confidence: float) -> None:
    """Over pairs whose chances are spread evenly, as the prior has it; many looks at the votes do not spoil a posterior."""
    rng = random.Random(7)
    voting = Voting(votes=101, confidence=confidence)
    wrong = stopped = 0
    for _ in range(1500):
        chance = rng.random()
        cast, _ = cast_of(voting, [FIRST if rng.random() < chance else SECOND for _ in range(101)])
        ahead, behind = sorted((cast.count(FIRST), cast.count(SECOND)), reverse=True)
        if leads(ahead, behind) >= confidence:
            stopped += 1
            wrong += (majority(cast) == FIRST) != (chance > 0.5)
    assert stopped > 1000
    assert wrong / stopped <= 1 - confidence
    assert wrong / stopped >= (1 - confidence) / 10, "a test that never errs spends too much"


def accuracy_and_cost(voting: Voting, chance: float, rng: random.Random, games: int = 4000) -> tuple[float, float]:
    right = cost = 0
    for _ in range(games):
        cast, _ = cast_of(voting, [FIRST if rng.random() < chance else SECOND for _ in range(voting.votes)])
        right += majority(cast) == FIRST
        cost += len(cast)
    return right / games, cost / games


def test_easy_pairs_cost_little_and_hard_ones_are_voted_on_in_full() -> None:
    full, sequential = Voting(votes=9), Voting(votes=9, confidence=0.9)
    for chance in (0.6, 0.75, 0.95):
        accuracy, cost = accuracy_and_cost(full, chance, random.Random(1))
        as_accurate, cheaper = accuracy_and_cost(sequential, chance, random.Random(1))
        assert as_accurate > accuracy - 0.02
        assert cheaper < cost
    assert accuracy_and_cost(sequential, 0.95, random.Random(2))[1] < 9 / 2
    assert accuracy_and_cost(sequential, 0.55, random.Random(2))[1] > 6


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"confidence": 0.9}, "one vote leaves nothing to stop; raise votes"),
        ({"votes": 0}, "greater than or equal to 1"),
        ({"votes": 3, "confidence": 0.5}, "greater than 0.5"),
        ({"votes": 3, "confidence": 1.0}, "less than 1"),
        ({"on_unreadable": "guess"}, "'retry', 'draw' or 'drop'"),
        ({"replays": -1}, "greater than or equal to 0"),
        ({"confidense": 0.9}, "did you mean 'confidence'"),
    ],
)
def test_options_that_cannot_work_are_told(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Voting.model_validate(options)
