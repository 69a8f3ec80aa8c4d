"""Cohen's κ by hand and by its textbook definition, its bounds, its interval, and what becomes of ties, splits and failures."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Order, Outcome, Problem, ReasoningPath, Verdict
from adjudge_figures import Agreements, cohen_kappa, detectable, joined, judged_unit, told_detectable, told_kappa, unit

FIRST, SECOND, TIE, UNREADABLE, FAILED = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE, Outcome.FAILED


def path(outcome: Outcome, order: Order = "given", index: int = 0) -> ReasoningPath:
    """A judgement whose outcome is this one in the problem's own order."""
    made = Completion("", error="timeout" if outcome == FAILED else None)
    return ReasoningPath(f"{order} {index}", "p", order, index, made, Verdict(outcome.mirrored if order == "swapped" else outcome))


def textbook(table: list[tuple[Outcome, Outcome]]) -> float:
    """κ as Cohen wrote it, over pairs of truth and verdict."""
    n = len(table)
    agreement = sum(truth == said for truth, said in table) / n
    names = {name for pair in table for name in pair}
    chance = sum(sum(t == name for t, _ in table) * sum(s == name for _, s in table) for name in names) / n**2
    return (agreement - chance) / (1 - chance)


def test_kappa_by_hand() -> None:
    # 20 + 15 agree of 50; truths say first 25 times, verdicts 30 times: chance = 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    units = [unit(FIRST, [FIRST])] * 20 + [unit(FIRST, [SECOND])] * 5 + [unit(SECOND, [FIRST])] * 10 + [unit(SECOND, [SECOND])] * 15
    found = cohen_kappa(units)
    assert found["value"] == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert found["n"] == 50
    low, high = found["interval"]
    assert 0.1 < low < 0.4 < high < 0.7


def test_what_is_not_decided_agrees_with_nothing_and_is_in_no_chance() -> None:
    # 6 of 10 agree; truths half and half; verdicts: 3 first, 4 second, 2 unreadable, 1 tie: chance = 0.5 * 0.3 + 0.5 * 0.4.
    table = [(FIRST, FIRST)] * 3 + [(SECOND, SECOND)] * 3 + [(FIRST, SECOND), (FIRST, UNREADABLE), (SECOND, UNREADABLE), (SECOND, TIE)]
    assert cohen_kappa(unit(truth, [said]) for truth, said in table)["value"] == pytest.approx((0.6 - 0.35) / (1 - 0.35))
    nothing = cohen_kappa([unit(FIRST, [UNREADABLE]), unit(SECOND, [UNREADABLE])])
    assert nothing["value"] == 0.0


def test_ties_count_where_the_truth_may_be_one() -> None:
    table = [(TIE, TIE)] * 4 + [(FIRST, FIRST)] * 3 + [(SECOND, FIRST)] * 3
    assert cohen_kappa(unit(truth, [said]) for truth, said in table)["value"] == pytest.approx(textbook(table))


def test_both_orders_count_as_shown_and_a_contradiction_is_a_verdict_of_its_own() -> None:
    right, split = unit(FIRST, [FIRST, FIRST]), unit(FIRST, [FIRST, SECOND])
    assert right == (("first", "first", 0.5), ("second", "second", 0.5))
    assert split == (("first", "split", 0.5), ("second", "split", 0.5))
    # 3 of 4 agree; each place is half of the truths, 3/8 of the verdicts.
    assert cohen_kappa([right] * 3 + [split])["value"] == pytest.approx((0.75 - 0.375) / (1 - 0.375))


def test_a_right_answer_that_always_stands_in_one_place_tells_nothing_and_shown_both_ways_it_does() -> None:
    one_place = cohen_kappa([unit(FIRST, [FIRST])] * 9 + [unit(FIRST, [SECOND])])
    assert one_place == {"value": None, "n": 10, "interval": None}
    assert "not defined" in told_kappa(one_place)
    both = cohen_kappa([unit(FIRST, [FIRST, FIRST])] * 9 + [unit(FIRST, [SECOND, SECOND])])
    assert both["value"] == pytest.approx(2 * 0.9 - 1)


def test_a_judge_that_always_names_one_place_has_none_however_accurate() -> None:
    found = cohen_kappa([unit(FIRST, [FIRST])] * 90 + [unit(SECOND, [FIRST])] * 10)
    assert found["value"] == pytest.approx(0.0)


def test_a_judge_that_is_always_right_has_one_and_an_interval_that_leaves_room() -> None:
    found = cohen_kappa([unit(FIRST, [FIRST])] * 10 + [unit(SECOND, [SECOND])] * 10)
    assert found["value"] == pytest.approx(1.0)
    low, high = found["interval"]
    assert 0.6 < low < 0.75, "Wilson's 0.839 of agreement, over one half by chance"
    assert high == 1.0


def test_failed_calls_and_unlabelled_problems_are_in_no_table() -> None:
    agreements = Agreements()
    agreements.add(Problem("p", "q", ("a", "b"), 0), [path(FIRST), path(FAILED, "swapped")])
    agreements.add(Problem("p", "q", ("a", "b")), [path(FIRST)])
    assert agreements.kappa() == {"value": None, "n": 0, "interval": None}
    agreements.add(Problem("p", "q", ("a", "b"), 0), [path(FIRST), path(FIRST, "swapped")])
    agreements.add(Problem("p", "q", ("a", "b"), 1), [path(FIRST), path(FIRST, "swapped")])
    assert agreements.kappa()["value"] == pytest.approx(0.0)
    assert agreements.kappa()["n"] == 2


def test_judgements_of_one_problem_are_one_item() -> None:
    problem = Problem("p", "q", ("a", "b"), 1)
    [found] = judged_unit(problem, [path(SECOND), path(FIRST, index=1), path(FAILED, index=2), path(SECOND, "swapped")])
    assert sorted(found) == [("first", "first", pytest.approx(1 / 3)), ("second", "first", pytest.approx(1 / 3)),
                             ("second", "second", pytest.approx(1 / 3))]  # fmt: skip
    assert judged_unit(problem, []) == joined([]) == []


@given(st.lists(st.tuples(st.sampled_from([FIRST, SECOND]), st.sampled_from([FIRST, SECOND, TIE, UNREADABLE])), min_size=1, max_size=60))
def test_kappa_is_cohens_between_minus_one_and_one_and_inside_its_interval(table: list[tuple[Outcome, Outcome]]) -> None:
    found = cohen_kappa(unit(truth, [said]) for truth, said in table)
    if len({truth for truth, _ in table}) == 1:
        assert found["value"] is None
        return
    assert found["value"] == pytest.approx(textbook(table))
    assert -1 - 1e-9 <= found["value"] <= 1 + 1e-9
    if found["interval"] is not None:
        low, high = found["interval"]
        assert low <= found["value"] <= high


def test_the_interval_holds_the_true_kappa_as_often_as_it_says() -> None:
    """A judge that is right with probability 0.75, whichever is right: κ = 0.5."""
    rng, inside = random.Random(5), 0
    for _ in range(200):
        truths = [rng.choice((FIRST, SECOND)) for _ in range(80)]
        low, high = cohen_kappa(unit(truth, [truth if rng.random() < 0.75 else truth.mirrored]) for truth in truths)["interval"]
        inside += low <= 0.5 <= high
    assert 0.89 * 200 <= inside <= 199


def test_the_same_items_have_the_same_interval() -> None:
    units = [unit(FIRST, [FIRST])] * 7 + [unit(SECOND, [FIRST])] * 3
    assert cohen_kappa(units) == cohen_kappa(list(reversed(units)))


# What n can show ----------------------------------------------------------------------------------------------------------


def test_the_smallest_detectable_difference_by_hand_and_that_it_is_found_four_times_in_five() -> None:
    assert detectable(100, 0.5) == pytest.approx((1.959964 + 0.841621) * (0.5 / 100) ** 0.5, abs=1e-6)
    assert detectable(0) is None
    assert detectable(3, 0.5) is None, "nothing that is possible"
    assert "too small" in told_detectable(3, 0.5)
    assert detectable(50, 1.0) < detectable(50, 0.5)  # type: ignore[operator]
    assert detectable(50, 1.0) > 0.02  # type: ignore[operator]
    rng, n, found = random.Random(1), 400, 0
    delta = detectable(n, 0.6)
    assert delta is not None
    for _ in range(400):
        a = sum(rng.random() < 0.6 - delta / 2 for _ in range(n)) / n
        b = sum(rng.random() < 0.6 + delta / 2 for _ in range(n)) / n
        pooled = (a + b) / 2
        found += abs(b - a) / (2 * pooled * (1 - pooled) / n) ** 0.5 > 1.96
    assert 0.74 < found / 400 < 0.86
