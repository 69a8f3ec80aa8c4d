"""Figures: shares have Wilson's interval, weighted means and other statistics a bootstrap's, and little data has no false certainty."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import wilson
from adjudge.figures import Figure, resampled, share, stratified, weighted

credits = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30)


def test_a_share_has_wilsons_interval_and_credit_between_a_bootstrap() -> None:
    found = share("accuracy", [1, 1, 0, 1], ["a"])
    assert (found.value, found.n, found.interval, found.groups) == (0.75, 4, wilson(3, 4), ("a",))
    halves = share("accuracy", [1, 0.5, 0, 1])
    assert halves.value == 0.625
    assert halves.interval is not None
    assert halves.interval != wilson(2, 4)


def test_nothing_to_rest_on_is_no_number() -> None:
    assert share("accuracy", []) == Figure("accuracy", None, 0, None)
    assert weighted("mean", {"a": []}, {"a": 1.0}) == Figure("mean", None, 0, None, ("a",))
    assert resampled("F1", [], lambda items: 1.0) == Figure("F1", None, 0, None)


def test_a_weighted_mean_leaves_an_empty_stratum_out_with_its_weight() -> None:
    strata = {"a": [1.0, 0.0], "b": [1.0], "c": []}
    found = weighted("mean", strata, {"a": 3.0, "b": 1.0, "c": 100.0})
    assert found.value == pytest.approx(3 / 4 * 0.5 + 1 / 4 * 1.0)
    assert (found.n, found.groups) == (3, ("a", "b", "c"))


def test_the_bootstrap_resamples_inside_every_stratum() -> None:
    """Between strata nothing moves: two strata of equal values have no spread, however far apart they are."""
    assert weighted("mean", {"a": [0.0] * 9, "b": [1.0] * 9}, {"a": 1.0, "b": 1.0}).interval == (0.5, 0.5)
    assert weighted("mean", {"a": [0.0]}, {"a": 1.0}).interval is None, "one item tells nothing about spread"


@settings(max_examples=20, deadline=None)
@given(credits, credits)
def test_any_statistic_and_the_vectorised_mean_agree(one: list[float], other: list[float]) -> None:
    strata, weights = {"a": one, "b": other}, {"a": 1.0, "b": 3.0}
    fast = weighted("mean", strata, weights)
    slow = stratified("mean", strata, lambda drawn: sum(weights[key] / 4 * sum(drawn[key]) / len(drawn[key]) for key in drawn))
    assert fast.value == pytest.approx(slow.value)
    assert fast.interval == pytest.approx(slow.interval, abs=0.12)
    assert fast.interval is not None
    assert fast.interval[0] - 1e-9 <= (fast.value or 0) <= fast.interval[1] + 1e-9


def test_the_interval_of_a_mean_is_close_to_students() -> None:
    found = weighted("mean", {"a": [0.0, 1.0] * 200}, {"a": 1.0})
    assert found.interval == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)
    assert found == weighted("mean", {"a": [0.0, 1.0] * 200}, {"a": 1.0}), "the same items have the same interval"


def test_a_statistic_that_is_undefined_has_no_interval() -> None:
    assert resampled("slope", [1, 2, 3], lambda items: None) == Figure("slope", None, 3, None)
    often = resampled("slope", [1, 2], lambda items: float("nan") if len(set(items)) == 1 else 1.0)
    assert (often.value, often.interval) == (1.0, None)
