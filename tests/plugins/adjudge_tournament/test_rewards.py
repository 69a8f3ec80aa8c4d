"""Rewards from rankings: every scale, equal groups, and candidates that nobody could judge."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, Match, MatchResult, Outcome, Problem, Ranking, TournamentResult
from adjudge_tournament import Reward, as_reward

groups = st.lists(st.floats(-1e6, 1e6) | st.integers(0, 3).map(float), min_size=1, max_size=8)


def ranking(*ratings: float) -> Ranking:
    return Ranking(tuple(sorted(range(len(ratings)), key=lambda index: -ratings[index])), ratings)


def tournament(result: Ranking, *matches: tuple[int, int, str, str]) -> TournamentResult:
    """A result with matches (first, second, outcome, its one vote)."""
    played = [MatchResult("p", 0, Match(one, other), Outcome(end), (Outcome(vote),), None, (), 0) for one, other, end, vote in matches]
    return TournamentResult(Problem("p", "?", tuple(map(str, result.order))), result, played)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("rating", [3.0, 1.0, 2.0, 2.0]),
        ("rank", [1.0, 0.0, 0.5, 0.5]),
        ("minmax", [1.0, 0.0, 0.5, 0.5]),
        ("standardised", [math.sqrt(2), -math.sqrt(2), 0.0, 0.0]),
    ],
)
def test_every_scale(how: Reward, expected: list[float]) -> None:
    assert as_reward(ranking(3.0, 1.0, 2.0, 2.0), how) == pytest.approx(expected)


@pytest.mark.parametrize(("how", "value"), [("rating", 7.0), ("rank", 0.5), ("minmax", 0.5), ("standardised", 0.0)])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_group_of_equals_prefers_nobody(how: Reward, value: float, size: int) -> None:
    assert as_reward(ranking(*[7.0] * size), how) == [value] * size


@given(groups)
def test_scales_keep_the_order_and_their_bounds(ratings: list[float]) -> None:
    result = ranking(*ratings)
    for how in ("rank", "minmax", "standardised"):
        values = [value for value in as_reward(result, how) if value is not None]
        assert len(values) == len(ratings)
        assert all(
            values[one] >= values[other] for one in range(len(values)) for other in range(len(values)) if ratings[one] > ratings[other]
        )
        if how == "standardised":
            assert math.fsum(values) == pytest.approx(0, abs=1e-6)
            assert max(ratings) == min(ratings) or statistics.pstdev(values) == pytest.approx(1)
        else:
            assert min(values) >= 0
            assert max(values) <= 1
    assert math.fsum(value or 0.0 for value in as_reward(result, "rank")) == pytest.approx(len(ratings) / 2)


def test_win_rates_count_what_was_read() -> None:
    result = tournament(
        ranking(2.0, 1.0, 0.0),
        (0, 1, "first", "first"), (2, 0, "second", "second"), (1, 2, "tie", "tie"), (1, 2, "tie", "truncated"),
    )  # fmt: skip
    assert as_reward(result, "win-rate") == [1.0, 0.25, 0.25]


@pytest.mark.parametrize("end", ["tie", "failed"])
def test_a_candidate_that_nobody_could_judge_has_no_reward_and_moves_nobody_elses(end: str) -> None:
    """Undecided draws and dropped matches alike: neither is anybody's judgement."""
    result = tournament(ranking(4.0, 2.0, 900.0), (0, 1, "first", "first"), (0, 2, end, "failed"), (2, 1, end, "unreadable"))
    assert as_reward(result, "win-rate") == [1.0, 0.0, None]
    assert as_reward(result, "rating") == [4.0, 2.0, None]
    assert as_reward(result, "minmax") == [1.0, 0.0, None]
    assert as_reward(result, "rank") == [1.0, 0.0, None]
    assert as_reward(result) == pytest.approx([1.0, -1.0, None])


def test_nobody_judged_means_no_rewards() -> None:
    for how in ("rating", "win-rate", "rank", "minmax", "standardised"):
        assert as_reward(tournament(ranking(1.0, 1.0)), how) == [None, None]


def test_a_win_rate_needs_matches_and_a_scale_needs_a_name() -> None:
    with pytest.raises(ConfigError, match=r"hand over the tournament"):
        as_reward(ranking(1.0, 2.0), "win-rate")
    with pytest.raises(ConfigError, match=r"there is no 'points'(.|\n)*win-rate, rating, rank"):
        as_reward(ranking(1.0, 2.0), "points")  # type: ignore[arg-type]
