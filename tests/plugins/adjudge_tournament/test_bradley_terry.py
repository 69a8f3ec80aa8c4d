"""Bradley-Terry ratings: the Elo scale, the prior, draws, odd results, exact ties, and intervals that hold what they promise."""

from __future__ import annotations

import math
import random

import choix
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import Match, Outcome, Ratings, bradley_terry

DECIDED = (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)
Results = list[tuple[Match, Outcome]]


@st.composite
def some_results(draw: st.DrawFn) -> tuple[int, Results]:
    """Any size, any pairs any number of times, disconnected and lopsided ones included."""
    size = draw(st.integers(2, 9))
    candidate = st.integers(0, size - 1)
    pairs = st.tuples(candidate, candidate).filter(lambda pair: pair[0] != pair[1])
    return size, draw(st.lists(st.tuples(pairs.map(lambda pair: Match(*pair)), st.sampled_from(DECIDED)), max_size=30))


def test_odds_are_on_the_elo_scale() -> None:
    """Ten wins to one are odds of ten to one, which are 400 points, when the prior is as good as nothing."""
    results = [(Match(0, 1), Outcome.FIRST)] * 10 + [(Match(0, 1), Outcome.SECOND)]
    strong, weak = bradley_terry(2, results, prior=1e-9).values
    assert strong - weak == pytest.approx(400, abs=0.01)
    assert strong + weak == pytest.approx(2000, abs=0.01)


def test_a_draw_is_half_a_win_each_way() -> None:
    drawn = [(Match(0, 1), Outcome.TIE)] * 2 + [(Match(0, 1), Outcome.FIRST)]
    halves = [(Match(0, 1), Outcome.FIRST)] * 2 + [(Match(1, 0), Outcome.FIRST)]
    assert bradley_terry(2, drawn, prior=0.1).values == bradley_terry(2, halves, prior=0.1).values


@pytest.mark.parametrize("prior", [0.001, 0.01, 1.0])
def test_the_prior_weighs_as_documented(prior: float) -> None:
    """After one win the slope of the log-likelihood, 1 / (1 + e^(2 skill)), equals that of the penalty, 2 x prior x skill."""
    skill = (bradley_terry(2, [(Match(0, 1), Outcome.FIRST)], prior=prior).values[0] - 1000) * math.log(10) / 400
    assert 1 / (1 + math.exp(2 * skill)) == pytest.approx(2 * prior * skill, rel=1e-4)


def test_values_are_those_of_choix() -> None:
    rng = random.Random(3)
    pairs = [tuple(rng.sample(range(12), 2)) for _ in range(80)]
    ours = bradley_terry(12, [(Match(*pair), Outcome.FIRST) for pair in pairs], prior=0.01).values
    theirs = choix.opt_pairwise(12, pairs, alpha=0.01, tol=1e-10)
    assert ours == pytest.approx([1000 + 400 / math.log(10) * skill for skill in theirs], abs=0.01)


def width(ratings: Ratings) -> float:
    """Mean width of the intervals."""
    return math.fsum(high - low for low, high in ratings.intervals) / len(ratings.intervals)


def test_a_draw_tells_more_than_a_win_and_a_loss_half_each() -> None:
    """Ten draws and five wins each way have the same ratings; the draws never strayed from a half, and yet might have."""
    drawn, turns = [(Match(0, 1), Outcome.TIE)] * 10, [(Match(0, 1), Outcome.FIRST), (Match(1, 0), Outcome.FIRST)] * 5
    for prior in (None, 0.01):
        one, other = bradley_terry(2, drawn, prior=prior), bradley_terry(2, turns, prior=prior)
        assert one.values == other.values == (1000.0, 1000.0)
        assert width(other) / 5 < width(one) < width(other) / 2
    more, few = bradley_terry(2, drawn * 10), bradley_terry(2, drawn)
    assert width(more) < width(few) / 3


def test_without_draws_intervals_are_those_of_the_curvature() -> None:
    """Seven wins of ten: the difference's variance is 1 / (10 x 0.7 x 0.3), and each rating is half of it away from the mean."""
    results = [(Match(0, 1), Outcome.FIRST)] * 7 + [(Match(0, 1), Outcome.SECOND)] * 3
    (low, high), _ = bradley_terry(2, results, prior=1e-7).intervals
    assert high - low == pytest.approx(1.959964 / math.sqrt(2.1) * Ratings.SCALE, rel=1e-4)


def some_matches(size: int, count: int) -> Results:
    """Matches of candidates whose skills are their numbers, some of them draws."""
    rng = random.Random(7)
    found = []
    for _ in range(count):
        match = Match(*rng.sample(range(size), 2))
        lead = rng.gauss(0, 1) + (match.first - match.second) / 9
        found.append((match, Outcome.TIE if abs(lead) < 0.25 else Outcome.FIRST if lead > 0 else Outcome.SECOND))
    return found


@pytest.mark.parametrize("prior", [1e-4, 1e-6, 1e-9, 1e-12, 1e-300])
def test_a_weak_prior_leaves_intervals_as_they_are(prior: float) -> None:
    """Everybody has met, so hardly anything depends on the prior; subtracting what it knows of the mean once left a width of 0."""
    results = some_matches(12, 300)
    known, found = bradley_terry(12, results, prior=1e-3), bradley_terry(12, results, prior=prior)
    assert width(found) == pytest.approx(width(known), rel=0.01)
    assert found.values == pytest.approx(known.values, abs=2)
    assert max(abs(math.fsum(row)) for row in found.covariance) < 1e-3


@pytest.mark.parametrize("prior", [None, 0.01, 1e-9, 1e-300])
def test_who_won_all_and_who_never_met_have_wide_intervals_and_finite_ratings(prior: float | None) -> None:
    settled = [(Match(0, 1), Outcome.FIRST), (Match(1, 0), Outcome.FIRST), (Match(0, 1), Outcome.TIE)] * 10
    unbeaten = [(Match(2, 0), Outcome.FIRST), (Match(2, 1), Outcome.FIRST)] * 3
    apart = [(Match(3, 4), Outcome.FIRST), (Match(4, 3), Outcome.FIRST), (Match(3, 4), Outcome.TIE)] * 10
    ratings = bradley_terry(6, settled + unbeaten + apart, prior=prior)
    widths = [high - low for low, high in ratings.intervals]
    assert all(map(math.isfinite, ratings.values))
    assert max(ratings.values) == ratings.values[2]
    assert widths[2] > widths[0], "the least is known of who won all"
    assert max(widths) == widths[5], "and least of all of who never met anybody"
    one, other = ratings.covariance[0], ratings.covariance[1]
    together = one[0] + other[1] - 2 * one[1]
    far = one[0] + ratings.covariance[3][3] - 2 * one[3]
    assert far > 9 * together, "two groups that never met are not comparable"


@settings(max_examples=80, deadline=None)
@given(found=some_results(), prior=st.sampled_from([None, 1e-300, 1e-9, 0.001, 0.01, 1.0]))
def test_any_results_give_finite_ratings_around_the_mean_inside_their_intervals(found: tuple[int, Results], prior: float | None) -> None:
    size, results = found
    ratings = bradley_terry(size, results, prior=prior)
    assert math.fsum(ratings.values) / size == pytest.approx(1000, abs=0.01)
    for value, (low, high) in zip(ratings.values, ratings.intervals, strict=True):
        assert math.isfinite(low)
        assert low < value < high < math.inf
    assert all(math.fsum(row) == pytest.approx(0, abs=1 + 1e-6 * max(map(abs, row))) for row in ratings.covariance)


@settings(max_examples=40, deadline=None)
@given(found=some_results(), prior=st.sampled_from([None, 0.01]))
def test_turning_every_match_round_or_shuffling_them_changes_nothing(found: tuple[int, Results], prior: float | None) -> None:
    size, results = found
    turned = [(Match(match.second, match.first), outcome.mirrored) for match, outcome in reversed(results)]
    assert bradley_terry(size, turned, prior=prior).values == bradley_terry(size, results, prior=prior).values


@pytest.mark.parametrize("prior", [None, 0.01])
def test_no_results_all_draws_and_cycles_leave_everybody_equal(prior: float | None) -> None:
    cycle = [(Match(0, 1), Outcome.FIRST), (Match(1, 2), Outcome.FIRST), (Match(2, 0), Outcome.FIRST)]
    draws = [(Match(0, 1), Outcome.TIE), (Match(1, 2), Outcome.TIE), (Match(2, 0), Outcome.TIE)]
    for results in ([], cycle, draws):
        assert bradley_terry(3, results, prior=prior).values == (1000.0, 1000.0, 1000.0)


def test_nobody_and_one_alone() -> None:
    assert bradley_terry(0, []).values == ()
    assert bradley_terry(1, []).values == (1000.0,)


def test_more_results_narrow_the_intervals() -> None:
    once = [(Match(0, 1), Outcome.FIRST), (Match(0, 1), Outcome.SECOND)]
    for prior in (None, 0.01):
        few, many = (bradley_terry(2, once * times, prior=prior).intervals[0] for times in (1, 20))
        assert many[1] - many[0] < (few[1] - few[0]) / 2


def test_a_failure_of_the_judge_is_no_result() -> None:
    with pytest.raises(ValueError, match="unreadable is no result"):
        bradley_terry(2, [(Match(0, 1), Outcome.UNREADABLE)])


@pytest.mark.parametrize("prior", [None, 0.01])
def test_intervals_of_a_round_robin_hold_the_truth(prior: float | None) -> None:
    """100 round robins of 10 whose skills are known: between 92% and 98% of the intervals hold them."""
    held = 0
    for seed in range(100):
        rng = random.Random(seed)
        skill = [rng.gauss(0, 1.5) for _ in range(10)]
        results = [
            (Match(i, j), Outcome.FIRST if rng.random() < 1 / (1 + math.exp(skill[j] - skill[i])) else Outcome.SECOND)
            for i in range(10)
            for j in range(i)
        ]
        intervals = bradley_terry(10, results, prior=prior).intervals
        truth = [1000 + 400 / math.log(10) * (one - math.fsum(skill) / 10) for one in skill]
        held += sum(low <= value <= high for value, (low, high) in zip(truth, intervals, strict=True))
    assert 920 <= held <= 980


@pytest.mark.parametrize("prior", [None, 0.01])
@pytest.mark.parametrize("common", [0.5, 1.0])
def test_intervals_hold_the_truth_where_draws_are_common(prior: float | None, common: float) -> None:
    """60 round robins of 10 asked in both orders, each draw being a disagreement of the two: 92% to 98% hold, as without draws."""
    held = 0
    for seed in range(60):
        rng = random.Random(seed)
        skill = [rng.gauss(0, 1) for _ in range(10)]
        results = []
        for i in range(10):
            for j in [*range(i)] * 2:
                chance = 1 / (1 + math.exp(skill[j] - skill[i]))
                one = rng.random() < chance
                other = rng.random() < chance if rng.random() < common else one
                results.append((Match(i, j), Outcome.TIE if one != other else Outcome.FIRST if one else Outcome.SECOND))
        intervals = bradley_terry(10, results, prior=prior).intervals
        truth = [1000 + Ratings.SCALE * (one - math.fsum(skill) / 10) for one in skill]
        held += sum(low <= value <= high for value, (low, high) in zip(truth, intervals, strict=True))
    assert 552 <= held <= 588


def test_an_array_of_results_is_rated_as_the_matches_are() -> None:
    rng = random.Random(0)
    results = [(Match(*rng.sample(range(6), 2)), rng.choice([Outcome.FIRST, Outcome.SECOND, Outcome.TIE])) for _ in range(200)]
    array = numpy.array([(match.first, match.second, outcome.points) for match, outcome in results])
    for prior in (0.01, None):
        assert bradley_terry(6, array, prior=prior) == bradley_terry(6, results, prior=prior)
    with pytest.raises(ValueError, match=r"1, 0 or 0\.5"):
        bradley_terry(2, numpy.array([[0, 1, 2]]))
