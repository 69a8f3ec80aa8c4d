"""Exact tests against scipy, Holm by hand, and corrections by a labelled slice on judges whose errors are known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from adjudge import ConfigError
from adjudge_figures import Paired, Slice, detectable_paired, holm, paired, ppi, rogan_gladen, sign_test


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_the_exact_binomial_one(above: int, below: int) -> None:
    known = stats.binomtest(above, above + below).pvalue if above + below else 1.0
    assert sign_test(above, below) == pytest.approx(known, rel=1e-6)


def test_the_sign_test_of_many_is_near_the_exact_one() -> None:
    assert sign_test(50_600, 49_500) == pytest.approx(stats.binomtest(50_600, 100_100).pvalue, rel=1e-2)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_value_itself_and_bonferronis_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, one in zip(p_values, adjusted, strict=True):
        assert p <= one <= min(1.0, len(p_values) * p) + 1e-12
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)


def test_holm_keeps_false_alarms_to_one_report_in_twenty() -> None:
    rng = random.Random(2)
    alarms = sum(min(holm([rng.random() for _ in range(12)])) <= 0.05 for _ in range(2000))
    uncorrected = sum(min(rng.random() for _ in range(12)) <= 0.05 for _ in range(2000))
    assert alarms / 2000 < 0.065
    assert uncorrected / 2000 > 0.4


# Two judges on the same items ---------------------------------------------------------------------------------------------


def test_a_paired_table_by_hand() -> None:
    found = paired([True, True, False, False, False], [True, False, True, True, False])
    assert found == Paired(1, 1, 2, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.p_value == pytest.approx(1.0)
    known = Paired(40, 5, 20, 35)
    assert known.difference == 0.15
    assert known.p_value == pytest.approx(stats.binomtest(5, 25).pvalue)
    # Half an item in each cell: (20.5 - 5.5) / 102, and the spread of Wald's.
    center = 15 / 102
    reach = 1.959964 * ((26 / 102 - center**2) / 102) ** 0.5
    assert known.interval == pytest.approx((center - reach, center + reach), abs=1e-6)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_judges_that_change_names_change_the_sign_and_nothing_else(both: int, only_a: int, only_b: int, neither: int) -> None:
    one, other = Paired(both, only_a, only_b, neither), Paired(both, only_b, only_a, neither)
    if one.n == 0:
        assert (one.difference, one.interval, one.detectable) == (None, None, None)
        return
    assert one.difference == pytest.approx(-other.difference)  # type: ignore[operator]
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))  # type: ignore[index]
    assert (one.p_value, one.detectable) == (other.p_value, other.detectable)
    assert -1 <= one.interval[0] < one.interval[1] <= 1  # type: ignore[index]


def test_the_interval_of_a_difference_holds_it_as_often_as_it_says() -> None:
    rng, inside = random.Random(3), 0
    for _ in range(400):
        a = [rng.random() < 0.7 for _ in range(60)]
        b = [right if rng.random() < 0.8 else rng.random() < 0.4 for right in a]
        low, high = paired(a, b).interval  # type: ignore[misc]
        inside += low <= 0.2 * (0.4 - 0.7) <= high
    assert inside / 400 > 0.92


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five() -> None:
    rng, n, discordant, found = random.Random(4), 400, 0.2, 0
    delta = detectable_paired(n, discordant)
    assert delta is not None
    for _ in range(500):
        disagree = sum(rng.random() < discordant for _ in range(n))
        only_b = sum(rng.random() < 0.5 + delta / discordant / 2 for _ in range(disagree))
        found += abs(2 * only_b - disagree) / disagree**0.5 > 1.96
    assert 0.74 < found / 500 < 0.86
    assert detectable_paired(4, 0.5) is None, "even all on one side would not show"
    assert detectable_paired(0, 0.5) is None


# A labelled slice ---------------------------------------------------------------------------------------------------------


def drawn(rng: random.Random, n: int, share: float, sensitivity: float, specificity: float) -> tuple[list[float], list[float]]:
    truth = [float(rng.random() < share) for _ in range(n)]
    return [float(rng.random() < (sensitivity if one else 1 - specificity)) for one in truth], truth


def test_rogan_gladen_by_hand() -> None:
    labelled = Slice([1] * 9 + [0] + [0] * 8 + [1] * 2, [1] * 10 + [0] * 10)  # sensitivity 0.9, specificity 0.8
    found = rogan_gladen([1.0] * 55 + [0.0] * 45, labelled)
    assert found["value"] == pytest.approx((0.55 + 0.8 - 1) / 0.7)
    assert (found["sensitivity"], found["specificity"], found["labelled"]) == (0.9, 0.8, 20)


def test_a_judge_that_cannot_tell_or_a_slice_of_one_kind_corrects_nothing() -> None:
    assert rogan_gladen([1.0, 0.0], Slice([1, 0, 1, 0], [1, 1, 0, 0]))["value"] is None
    assert rogan_gladen([1.0, 0.0], Slice([1, 0], [1, 1]))["value"] is None
    assert ppi([1.0], Slice([1, 0], [1, 1]))["value"] is None
    with pytest.raises(ConfigError, match="one truth to each"):
        Slice([1], [])


def test_ppi_with_a_useless_judge_is_the_slice_and_with_a_perfect_one_uses_everything() -> None:
    rng = random.Random(6)
    labelled = Slice([0.5] * 20, [1.0] * 8 + [0.0] * 12)
    found = ppi([0.5] * 200, labelled)
    assert (found["value"], found["weight"]) == (pytest.approx(0.4), 0.0)
    said, truth = drawn(rng, 40, 0.5, 1.0, 1.0)
    rest, _ = drawn(rng, 4000, 0.7, 1.0, 1.0)
    narrow = ppi(rest, Slice(said, truth))
    assert narrow["weight"] > 0.9
    assert narrow["interval"][1] - narrow["interval"][0] < 0.2 < found["interval"][1] - found["interval"][0]


@pytest.mark.parametrize("method", [rogan_gladen, ppi])
def test_a_judge_that_errs_is_corrected_and_the_interval_holds_the_truth(method: object) -> None:
    """The judge says yes far too often: of 0.3 that are, it finds 0.9, and of the others it takes 0.4 for one."""
    rng, inside, plain = random.Random(7), 0, 0
    for _ in range(150):
        said, truth = drawn(rng, 150, 0.3, 0.9, 0.6)
        rest, _ = drawn(rng, 600, 0.3, 0.9, 0.6)
        low, high = method(rest, Slice(said, truth))["interval"]  # type: ignore[operator]
        inside += low <= 0.3 <= high
        plain += abs(sum(rest) / len(rest) - 0.3) < 0.1
    assert inside / 150 > 0.9
    assert plain == 0, "what the judge says by itself is far off"
