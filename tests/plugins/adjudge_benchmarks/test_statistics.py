"""Metrics: shares have Wilson's interval, weighted means and other statistics a bootstrap's, and little data has no false certainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from adjudge import wilson
from adjudge_benchmarks import Metric, bootstrap, proportion, stratified_bootstrap, weighted_mean

credits = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=30)


def test_a_share_has_wilsons_interval_and_credit_between_a_bootstrap() -> None:
    found = proportion("accuracy", [1, 1, 0, 1], ["a"])
    assert (found.value, found.n, found.interval, found.groups) == (0.75, 4, wilson(3, 4), ("a",))
    halves = proportion("accuracy", [1, 0.5, 0, 1])
    assert halves.value == 0.625
    assert halves.interval is not None
    assert halves.interval != wilson(2, 4)


def test_nothing_to_rest_on_is_no_number() -> None:
    assert proportion("accuracy", []) == Metric("accuracy", None, 0, None)
    assert weighted_mean("mean", {"a": []}, {"a": 1.0}) == Metric("mean", None, 0, None, ("a",))
    assert bootstrap("F1", [], lambda items: 1.0) == Metric("F1", None, 0, None)


def test_a_weighted_mean_leaves_an_empty_stratum_out_with_its_weight() -> None:
    strata = {"a": [1.0, 0.0], "b": [1.0], "c": []}
    found = weighted_mean("mean", strata, {"a": 3.0, "b": 1.0, "c": 100.0})
    assert found.value == pytest.approx(3 / 4 * 0.5 + 1 / 4 * 1.0)
    assert (found.n, found.groups) == (3, ("a", "b", "c"))


def test_the_bootstrap_resamples_inside_every_stratum() -> None:
    """Between strata nothing moves: how far apart two strata are is no uncertainty."""
    far = weighted_mean("mean", {"a": [0.0, 0.1] * 9, "b": [1.0, 0.9] * 9}, {"a": 1.0, "b": 1.0}).interval
    near = weighted_mean("mean", {"a": [0.4, 0.5] * 9, "b": [0.5, 0.4] * 9}, {"a": 1.0, "b": 1.0}).interval
    assert far is not None
    assert near is not None
    assert far[1] - far[0] == pytest.approx(near[1] - near[0])
    assert far[1] - far[0] < 0.04
    assert weighted_mean("mean", {"a": [0.0]}, {"a": 1.0}).interval is None, "one item tells nothing about spread"


@settings(max_examples=20, deadline=None)
@given(credits, credits)
def test_any_statistic_and_the_vectorised_mean_agree(one: list[float], other: list[float]) -> None:
    assume(len(set(one)) > 1 < len(set(other)))
    strata, weights = {"a": one, "b": other}, {"a": 1.0, "b": 3.0}
    fast = weighted_mean("mean", strata, weights)
    slow = stratified_bootstrap("mean", strata, lambda drawn: sum(weights[key] / 4 * sum(drawn[key]) / len(drawn[key]) for key in drawn))
    assert fast.value == pytest.approx(slow.value)
    assert fast.interval == pytest.approx(slow.interval, abs=0.12)
    assert fast.interval is not None
    assert fast.interval[0] - 1e-9 <= (fast.value or 0) <= fast.interval[1] + 1e-9


def test_the_interval_of_a_mean_is_close_to_students() -> None:
    found = weighted_mean("mean", {"a": [0.0, 1.0] * 200}, {"a": 1.0})
    assert found.interval == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)
    assert found == weighted_mean("mean", {"a": [0.0, 1.0] * 200}, {"a": 1.0}), "the same items have the same interval"


def test_a_statistic_that_is_undefined_has_no_interval() -> None:
    assert bootstrap("slope", [1, 2, 3], lambda items: None) == Metric("slope", None, 3, None)
    often = bootstrap("slope", [1, 2, 3], lambda items: float("nan") if len(set(items)) < 3 else 1.0)
    assert (often.value, often.interval) == (1.0, None), "most resamples leave it undefined"


@pytest.mark.parametrize("undefined", [1, 3, 298])
def test_a_few_undefined_resamples_remove_no_interval(undefined: int) -> None:
    """They are left out, and the others' quantiles stand."""
    calls = 0

    def middle(items: Sequence[float]) -> float | None:
        nonlocal calls
        calls += 1
        return None if 1 < calls <= 1 + undefined else fmean(items)

    items = [0.1, 0.9, 0.4, 0.7, 0.2, 0.6]
    found, all_defined = bootstrap("middle", items, middle), bootstrap("middle", items, fmean)
    assert found.interval == pytest.approx(all_defined.interval, abs=0.05)
    assert found.value == all_defined.value


# Equal values, in which resampling finds no spread -------------------------------------------------------------------------


def test_equal_credits_have_wilsons_interval_whatever_makes_it() -> None:
    """Three of three right, none of six: certain to a bootstrap, and to nobody else."""
    for right, n in ((3, 3), (0, 6), (2, 2)):
        credits = [float(right > 0)] * n
        for metric in (
            proportion("accuracy", credits),
            weighted_mean("accuracy", {"": credits}, {"": 1.0}),
            bootstrap("accuracy", credits, fmean),
            bootstrap(
                "accuracy of pairs",
                [[credit, credit] for credit in credits],
                lambda items: fmean(value for item in items for value in item),
            ),
        ):
            assert metric.interval == pytest.approx(wilson(right, n)), metric


def test_equal_values_between_other_bounds_have_the_interval_of_a_share_of_the_way() -> None:
    found = bootstrap("correlation", range(5), lambda items: 1.0, bounds=(-1.0, 1.0))
    assert found.interval == pytest.approx((2 * wilson(5, 5)[0] - 1, 1.0))
    assert weighted_mean("score", {"a": [8.0] * 4}, {"a": 1.0}, bounds={"a": (0.0, 10.0)}).interval == pytest.approx(
        tuple(10 * end for end in wilson(3.2, 4))
    )
    assert bootstrap("seconds", [3.7] * 4, fmean).interval is None, "nobody knows how large such values can be"


def test_a_stratum_of_equal_values_is_not_certain_either() -> None:
    """Alone, beside another, and beside one that differs: errors of strata add up in squares."""
    two = weighted_mean("mean", {"a": [0.0] * 9, "b": [1.0] * 9}, {"a": 1.0, "b": 1.0}).interval
    low, high = wilson(9, 9)[0], wilson(0, 9)[1]
    assert two == pytest.approx((0.5 - (1 - low) / 2, 0.5 + high / 2))
    mixed = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    alone, beside = (weighted_mean("mean", {"a": mixed, **more}, {"a": 1.0, "b": 1.0}) for more in ({}, {"b": [1.0] * 4}))
    assert alone.interval is not None
    assert beside.interval is not None
    assert beside.value == pytest.approx((fmean(mixed) + 1) / 2)
    below = fmean(mixed) - alone.interval[0]
    assert beside.interval[0] == pytest.approx(beside.value - math.hypot(below / 2, (1 - wilson(4, 4)[0]) / 2))
    assert beside.interval[1] == pytest.approx(beside.value + (alone.interval[1] - fmean(mixed)) / 2)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=6), st.lists(st.sampled_from([0.0, 1.0]), max_size=6))
def test_no_interval_of_credits_is_a_point_or_leaves_the_unit_interval(one: list[float], other: list[float]) -> None:
    found = weighted_mean("mean", {"a": one, "b": other}, {"a": 1.0, "b": 2.0})
    assert found.interval is not None
    assert found.value is not None
    assert -1e-9 <= found.interval[0] <= found.value + 1e-9
    assert found.value - 1e-9 <= found.interval[1] <= 1 + 1e-9
    assert found.interval[1] - found.interval[0] > 0.05


# Against scipy, which is not in the base install ---------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilsons_interval_is_scipys(right: int, more: int) -> None:
    n = right + more - 1 or 1
    known = stats.binomtest(min(right, n), n).proportion_ci(method="wilson")
    assert wilson(min(right, n), n) == pytest.approx((known.low, known.high), abs=1e-12)


def percentiles(data: tuple[Any, ...], statistic: Any, **options: Any) -> tuple[float, float]:
    found = stats.bootstrap(data, statistic, n_resamples=999, batch=50, method="percentile", paired=False, random_state=0, **options)
    return found.confidence_interval.low, found.confidence_interval.high


def test_the_bootstrap_of_a_weighted_mean_is_scipys() -> None:
    one, other = [0.0, 1.0, 0.5, 1.0, 0.0, 0.25], [1.0, 0.5, 1.0, 0.0]

    def mean(first: Any, second: Any, axis: int) -> Any:
        return 0.75 * first.mean(axis=axis) + 0.25 * second.mean(axis=axis)

    found = weighted_mean("mean", {"a": one, "b": other}, {"a": 3.0, "b": 1.0})
    assert found.interval == percentiles((one, other), mean, vectorized=True)


def test_the_bootstrap_of_any_statistic_is_scipys() -> None:
    items = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]

    def middle(drawn: Any) -> float:
        return float(sorted(drawn)[len(drawn) // 2] - fmean(drawn))

    found = bootstrap("middle", items, middle)
    assert found.interval == percentiles((items,), middle, vectorized=False)
