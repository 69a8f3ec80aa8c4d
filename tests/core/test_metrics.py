"""A number has one definition: what failed is in no n, two ties agree, and no measure takes a metric's name."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from adjudge import (
    Completion,
    Order,
    Outcome,
    PluginError,
    Problem,
    ReasoningPath,
    RewardRule,
    Verdict,
    agree,
    combine,
    consistency,
    outcome_rates,
    summarise,
)

PROBLEMS = [Problem("a", "?", ("yes", "no"), 0), Problem("b", "?", ("yes", "no"), 0)]


def path(problem: str, outcome: Outcome, order: Order = "given", index: int = 0) -> ReasoningPath:
    """A path that comes to this outcome in the problem's own order."""
    shown = outcome.mirrored if order == "swapped" else outcome
    error = "timeout" if outcome == Outcome.FAILED else None
    return ReasoningPath(f"{problem}{order}{index}", problem, order, index, Completion("", (1, 2), error=error), Verdict(shown))


def test_a_failed_call_is_in_no_n_and_its_rate_stands_beside() -> None:
    found = summarise(PROBLEMS, [path("a", Outcome.FIRST), path("b", Outcome.FAILED)])
    assert (found["accuracy"], found["n"]) == (1.0, 1)
    assert (found["judgements"], found["outcomes"]["failed"]) == (2, 0.5)


def test_what_cannot_be_read_is_wrong_and_in_n() -> None:
    found = summarise(PROBLEMS, [path("a", Outcome.FIRST), path("b", Outcome.UNREADABLE)])
    assert (found["accuracy"], found["n"]) == (0.5, 2)


def test_a_sample_of_which_one_order_failed_is_left_out() -> None:
    paths = [path("a", Outcome.FIRST), path("a", Outcome.FAILED, "swapped"), path("b", Outcome.FIRST), path("b", Outcome.FIRST, "swapped")]
    found = summarise(PROBLEMS, paths)
    assert (found["accuracy"], found["n"], found["consistency"]) == (1.0, 1, 1.0)


def test_two_ties_agree() -> None:
    paths = [path("a", Outcome.TIE), path("a", Outcome.TIE, "swapped")]
    assert summarise(PROBLEMS, paths)["consistency"] == 1.0


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("first", "first"), True),
        (("tie", "tie"), True),
        (("first", "second"), False),
        (("first", "tie"), False),
        (("unreadable", "unreadable"), False),
        (("first", "truncated"), False),
    ],
)
def test_orders_agree_where_both_are_decided_and_equal(outcomes: tuple[str, str], expected: bool) -> None:
    pair = [Outcome(one) for one in outcomes]
    assert agree(pair) is expected
    assert consistency([pair]) == float(expected)


def test_consistency_leaves_failed_calls_out_and_is_none_without_pairs() -> None:
    assert consistency([[Outcome.FIRST, Outcome.FAILED], [Outcome.FIRST, Outcome.FIRST]]) == 1.0
    assert consistency([[Outcome.FIRST], []]) is None


def test_outcome_rates_add_up_to_one() -> None:
    rates = outcome_rates([Outcome.FIRST, Outcome.FAILED, Outcome.TIE, Outcome.FIRST])
    assert rates["first"] == 0.5
    assert sum(rates.values()) == 1.0


def test_a_failed_call_is_neither_right_nor_wrong() -> None:
    assert path("a", Outcome.FAILED).right(PROBLEMS[0]) is None
    assert path("a", Outcome.UNREADABLE).right(PROBLEMS[0]) is False


class Accuracy(RewardRule):
    """A rule that is called like a metric."""

    use: Literal["accuracy"] = "accuracy"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return 0.0


def test_a_measure_cannot_take_the_name_of_a_metric(world: Any) -> None:
    with pytest.raises(PluginError, match=r"'accuracy' .* cannot be a measure"):
        summarise(PROBLEMS, [path("a", Outcome.FIRST)], [Accuracy()])
    world.observe("measures", named("register_reward_rules", lambda: [Accuracy]))
    with pytest.raises(PluginError, match="has a metric of that name"):
        world.run(evaluation={"sets": {"far": {"use": "words", "start": 50}}, "measures": ["accuracy"]})


def named(name: str, function: Any) -> Any:
    function.__name__ = name
    return function


class Numpy(RewardRule):
    """A rule that returns numpy's numbers."""

    use: Literal["numpy"] = "numpy"

    def reward(self, problem: Problem, path: ReasoningPath) -> Any:
        import numpy as np

        return np.float32(0.5)


def test_numpys_numbers_become_pythons() -> None:
    found = summarise(PROBLEMS, [path("a", Outcome.FIRST)], [Numpy()])
    assert type(found["numpy"]) is float


@pytest.mark.parametrize("other", [Outcome.UNREADABLE, Outcome.TRUNCATED, Outcome.FIRST])
def test_a_sample_of_which_a_call_failed_has_failed_in_whatever_order(other: Outcome) -> None:
    paths = [path("a", other), path("a", Outcome.FAILED)]
    assert combine(paths) == combine(paths[::-1]) == Outcome.FAILED
