"""What the ratings of each scheme mean: shares, Elo points, rounds survived and pairs won."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adjudge import Match, Outcome
from adjudge.testing import play_with
from adjudge_tournament import Active, Copeland, Elo, Knockout, RoundRobin, Vote
from adjudge_tournament.elo import online_elo


def higher(one: int, other: int) -> Outcome:
    """The higher index wins."""
    return Outcome.FIRST if one > other else Outcome.SECOND


def test_round_robin_rates_by_share_of_points_and_halves_draws() -> None:
    ranking, played = play_with(RoundRobin(meetings=2), 3, lambda one, other: Outcome.TIE if one + other == 1 else higher(one, other))
    assert ranking.ratings == (0.25, 0.25, 1.0)
    assert len(played) == 6


def test_a_second_meeting_swaps_the_slots() -> None:
    _, played = play_with(RoundRobin(meetings=2), 4, higher)
    assert {(match.second, match.first) for match in played[:6]} == {(match.first, match.second) for match in played[6:]}


def test_undefeated_candidates_stay_finite_and_a_stronger_prior_draws_them_in() -> None:
    spreads = []
    for prior in (0.001, 0.01, 1.0):
        ratings = play_with(Elo(prior=prior), 6, higher)[0].ratings
        assert all(map(math.isfinite, ratings))
        assert math.fsum(ratings) / 6 == pytest.approx(1000)
        spreads.append(max(ratings) - min(ratings))
    assert spreads[0] > spreads[1] > spreads[2]


@settings(max_examples=40, deadline=None)
@given(outcomes=st.lists(st.sampled_from([Outcome.FIRST, Outcome.SECOND, Outcome.TIE]), min_size=10, max_size=10))
def test_equal_records_get_exactly_equal_ratings_and_better_ones_higher(outcomes: list[Outcome]) -> None:
    points, left = [0.0] * 5, list(outcomes)

    def decide(one: int, other: int) -> Outcome:
        outcome = left.pop()
        share = {Outcome.FIRST: 1.0, Outcome.TIE: 0.5, Outcome.SECOND: 0.0}[outcome]
        points[one], points[other] = points[one] + share, points[other] + 1 - share
        return outcome

    ratings = play_with(Elo(), 5, decide)[0].ratings
    for one in range(5):
        for other in range(5):
            assert (ratings[one] > ratings[other]) == (points[one] > points[other])


def test_online_elo_moves_half_of_k_between_equals() -> None:
    assert online_elo(2, [(Match(0, 1), Outcome.FIRST)], k=32) == [1016.0, 984.0]
    assert online_elo(2, [(Match(0, 1), Outcome.SECOND)], k=32) == [984.0, 1016.0]
    assert online_elo(2, [(Match(0, 1), Outcome.TIE)], k=32) == [1000.0, 1000.0]


@pytest.mark.parametrize("size", [2, 5, 12, 20])
@pytest.mark.parametrize("seed", range(5))
def test_both_ratings_rank_noise_free_results_alike(size: int, seed: int) -> None:
    bradley, _ = play_with(Elo(), size, higher, seed)
    online, _ = play_with(Elo(rating="online"), size, higher, seed)
    assert bradley.order == online.order == tuple(reversed(range(size)))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 40), seed=st.integers(0, 2**32), always=st.sampled_from([Outcome.FIRST, Outcome.SECOND, Outcome.TIE]))
def test_knockout_takes_one_match_less_than_candidates_and_drops_each_loser_once(size: int, seed: int, always: Outcome) -> None:
    ranking, played = play_with(Knockout(), size, lambda one, other: always, seed)
    assert len(played) == size - 1
    rounds = math.ceil(math.log2(size))
    assert max(ranking.ratings) == rounds
    assert ranking.ratings.count(rounds) == 1
    if always != Outcome.TIE:
        lost = [match.second if always == Outcome.FIRST else match.first for match in played]
        assert len(set(lost)) == len(lost)
        assert ranking.order[0] not in lost


@pytest.mark.parametrize("best_of", [3, 5])
def test_a_pairing_is_played_until_its_leader_is_out_of_reach(best_of: int) -> None:
    """A judge that never errs is asked for a bare majority of the matches, in both slots; one that alternates is asked for all."""
    _, played = play_with(Knockout(best_of=best_of), 2, higher)
    assert len(played) == best_of // 2 + 1
    assert {match.first for match in played} == {0, 1}
    _, played = play_with(Knockout(best_of=best_of), 2, lambda one, other: Outcome.FIRST)
    assert len(played) == best_of


def test_a_best_of_three_forgives_one_slip() -> None:
    verdicts = iter([0, 1, 1])
    ranking, _ = play_with(Knockout(best_of=3), 2, lambda one, other: Outcome.FIRST if one == next(verdicts) else Outcome.SECOND)
    assert ranking.order == (1, 0)


def test_knockout_orders_losers_by_the_round_they_went_out_in() -> None:
    ranking, played = play_with(Knockout(), 8, higher, seed=2)
    assert sorted(ranking.ratings, reverse=True) == [3, 2, 1, 1, 0, 0, 0, 0]
    assert ranking.order[0] == 7
    assert ranking.order[1] == min(played[-1].first, played[-1].second)


def test_knockout_gives_the_bye_to_a_random_candidate() -> None:
    resting = set()
    for seed in range(40):
        first_round = play_with(Knockout(), 3, higher, seed)[1][0]
        resting |= {0, 1, 2} - {first_round.first, first_round.second}
    assert resting == {0, 1, 2}


def test_knockout_decides_a_draw_by_a_coin_and_not_by_the_slot() -> None:
    won_by_first = 0
    for seed in range(200):
        ranking, played = play_with(Knockout(), 2, lambda one, other: Outcome.TIE, seed)
        won_by_first += ranking.order[0] == played[0].first
    assert 70 <= won_by_first <= 130


def test_vote_on_two_candidates_is_the_majority_with_alternating_slots() -> None:
    votes = iter([0, 1, 0, 1, 0])

    def decide(one: int, other: int) -> Outcome:
        return Outcome.FIRST if one == next(votes) else Outcome.SECOND

    ranking, played = play_with(Vote(samples=5), 2, decide)
    assert ranking.order == (0, 1)
    assert ranking.ratings == (1.0, 0.0)
    assert all(match.first == later.second for match, later in pairwise(played))


def test_vote_counts_pairs_won_not_votes() -> None:
    """Candidate 0 wins its pairs 2 to 1, candidate 1 wins one pair 3 to 0: more votes, fewer pairs."""
    asked: dict[frozenset[int], int] = {}

    def decide(one: int, other: int) -> Outcome:
        pair = frozenset((one, other))
        asked[pair] = asked.get(pair, 0) + 1
        winner = min(pair)
        if 0 in pair and asked[pair] == 3:
            winner = max(pair)
        return Outcome.FIRST if one == winner else Outcome.SECOND

    ranking, _ = play_with(Vote(samples=3), 3, decide)
    assert ranking.ratings == (2.0, 1.0, 0.0)


def test_pointwise_votes_compare_everybody_with_the_first_alone() -> None:
    ranking, played = play_with(
        Vote(samples=4, pointwise=True), 4, lambda one, other: Outcome.TIE if {one, other} == {0, 2} else higher(one, other)
    )
    assert len(played) == 12
    assert all(0 in (match.first, match.second) for match in played)
    assert ranking.ratings == (0.5, 1.0, 0.5, 1.0)


def test_copeland_counts_pairs_won_minus_pairs_lost() -> None:
    ranking, _ = play_with(Copeland(), 4, lambda one, other: Outcome.TIE if {one, other} == {0, 1} else higher(one, other))
    assert ranking.ratings == pytest.approx((-2 / 3, -2 / 3, 1 / 3, 1.0))


def test_round_robin_states_intervals_as_shares() -> None:
    ranking, _ = play_with(RoundRobin(), 6, higher)
    assert ranking.intervals is not None
    assert all(0 <= low <= share <= high <= 1 for share, (low, high) in zip(ranking.ratings, ranking.intervals, strict=True))


@pytest.mark.parametrize("scheme", [Elo(), Active(), Active(aim="order")])
def test_elo_ratings_lie_inside_their_intervals(scheme: Elo | Active) -> None:
    ranking, _ = play_with(scheme, 6, higher)
    assert ranking.intervals is not None
    assert all(low <= value <= high for value, (low, high) in zip(ranking.ratings, ranking.intervals, strict=True))


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        (Knockout, {"best_of": 2}),
        (Copeland, {"meetings": 0}),
        (Active, {"budget": 0}),
        (Active, {"batch": 0}),
        (Active, {"confidence": 0.5}),
        (Active, {"aim": "bottom"}),
        (Elo, {"prior": 0}),
        (Elo, {"k": -1}),
        (Elo, {"shuffles": 0}),
        (Elo, {"rating": "glicko"}),
        (RoundRobin, {"meetings": 0}),
        (Vote, {"samples": 0}),
    ],
)
def test_options_out_of_range_are_refused(scheme: type, options: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        scheme.model_validate(options)
