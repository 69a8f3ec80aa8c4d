"""Reward rules: what each says of every outcome, and that one that does not apply to a path makes it neither better nor worse."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adjudge import Completion, Outcome, PluginError, Problem, ReasoningPath, RewardRule, Verdict
from adjudge.testing import check_rule
from adjudge_grpo import Format, Length, VerdictRule, group_rewards, rule_values

PROBLEM = Problem("p", "q", ("a", "b"), label=0)


def path(outcome: Outcome, tokens: int = 3) -> ReasoningPath:
    return ReasoningPath("x", "p", "given", 0, Completion("", tuple(range(tokens))), Verdict(outcome))


@pytest.mark.parametrize(
    ("outcome", "verdict", "form"),
    [
        (Outcome.FIRST, 1, 1),
        (Outcome.SECOND, -1, 1),
        (Outcome.TIE, -1, 1),
        (Outcome.UNREADABLE, -1, -1),
        (Outcome.TRUNCATED, -1, -1),
        (Outcome.FAILED, None, None),
    ],
)
def test_rewards_of_every_outcome(outcome: Outcome, verdict: float | None, form: float | None) -> None:
    assert VerdictRule().reward(PROBLEM, path(outcome)) == verdict
    assert Format().reward(PROBLEM, path(outcome)) == form


def test_the_verdict_is_read_in_the_problems_order() -> None:
    assert VerdictRule().reward(PROBLEM, replace(path(Outcome.SECOND), order="swapped")) == 1
    assert VerdictRule().reward(replace(PROBLEM, label=None), path(Outcome.FIRST)) is None


@pytest.mark.parametrize(("tokens", "reward"), [(0, None), (1, 0), (10, 0), (15, -0.5), (20, -1), (99, -1)])
def test_length_falls_in_a_line(tokens: int, reward: float | None) -> None:
    assert Length(target=10, limit=20).reward(PROBLEM, path(Outcome.FIRST, tokens)) == pytest.approx(reward)


def test_length_needs_room_to_fall() -> None:
    with pytest.raises(ValidationError, match="limit must be above target"):
        Length(target=5, limit=5)


def test_a_reward_is_the_weighted_sum_of_the_rules() -> None:
    rules = [VerdictRule(weight=2.0), Format(weight=0.5), Length(target=0, limit=6, weight=1.0)]
    values = rule_values(rules, PROBLEM, path(Outcome.SECOND))
    assert values == {"verdict": -1.0, "format": 1.0, "length": -0.5}
    assert group_rewards(rules, [values]) == [pytest.approx(-2.0 + 0.5 - 0.5)]


def test_a_rule_that_applies_to_no_path_is_left_out_and_a_path_without_any_rule_has_no_reward() -> None:
    unlabelled = replace(PROBLEM, label=None)
    assert rule_values([VerdictRule()], unlabelled, path(Outcome.SECOND)) == {"verdict": None}
    assert group_rewards([VerdictRule()], [{"verdict": None}, {"verdict": 1.0}]) == [None, 1.0]
    both = [VerdictRule(), Format(weight=0.5)]
    assert group_rewards(both, [{"verdict": None, "format": 1.0}, {"verdict": None, "format": -1.0}]) == [0.5, -0.5]
    assert group_rewards(both, [{"verdict": None, "format": None}, {"verdict": 1.0, "format": None}]) == [None, 1.0]


def rewards_of(verdicts: list[float | None], lengths: list[float | None], weight: float = 1.0) -> list[float | None]:
    rules = [VerdictRule(), Length(weight=weight)]
    return group_rewards(rules, [{"verdict": one, "length": other} for one, other in zip(verdicts, lengths, strict=True)])


def test_a_path_that_a_rule_could_not_judge_is_neither_best_nor_worst() -> None:
    """Four right verdicts and a rule that only ever takes away: with None as 0 the path that it could not judge was the best."""
    assert rewards_of([1, 1, 1, 1], [None, -0.5, -0.5, -0.5]) == [0.5] * 4
    assert rewards_of([1, 1, 1, 1], [None, -0.1, -0.3, -0.8]) == pytest.approx([0.6, 0.9, 0.7, 0.2])


def test_what_other_rules_say_of_a_path_still_counts() -> None:
    """An unreadable judgement without a length is still a wrong one."""
    assert rewards_of([1, -1, 1, -1], [-0.2, None, -0.4, -0.6]) == pytest.approx([0.8, -1.4, 0.6, -1.6])


some_values = st.floats(-10, 10) | st.none()


@given(st.lists(some_values, min_size=2, max_size=8), st.sampled_from([-1.0, 1.0]), st.sampled_from([-0.3, 0.2, 1.0]))
def test_among_paths_alike_in_all_else_the_unjudged_are_between_the_judged(
    lengths: list[float | None], alike: float, weight: float
) -> None:
    rewards = rewards_of([alike] * len(lengths), lengths, weight)
    judged = [reward for reward, length in zip(rewards, lengths, strict=True) if length is not None]
    for reward, length in zip(rewards, lengths, strict=True):
        assert reward is not None
        if length is None and judged:
            assert min(judged) <= reward <= max(judged)
            if max(judged) - min(judged) > 1e-6:
                assert min(judged) < reward < max(judged)


@given(st.lists(st.tuples(st.sampled_from([-1.0, 1.0]), some_values), min_size=2, max_size=8))
def test_a_rule_has_no_share_in_the_advantage_of_a_path_it_does_not_apply_to(values: list[tuple[float, float | None]]) -> None:
    verdicts, lengths = [one for one, _ in values], [other for _, other in values]
    rewards = [reward for reward in rewards_of(verdicts, lengths) if reward is not None]
    mean, right = math.fsum(rewards) / len(rewards), math.fsum(verdicts) / len(verdicts)
    for reward, verdict, length in zip(rewards, verdicts, lengths, strict=True):
        if length is None:
            assert reward - mean == pytest.approx(verdict - right, abs=1e-9)


class Library(RewardRule):
    """Says what a library of numbers says."""

    use: Literal["library"] = "library"
    make: Any

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return self.make(0.5)  # type: ignore[no-any-return]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_libraries_take_for_a_number_is_recorded_as_one(library: str) -> None:
    make = import_module(library).float32 if library == "numpy" else import_module(library).tensor
    assert json.loads(json.dumps(rule_values([Library(make=make)], PROBLEM, path(Outcome.FIRST)))) == {"library": 0.5}


class Broken(RewardRule):
    """Raises."""

    use: Literal["broken"] = "broken"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        raise ZeroDivisionError("oops")


def test_a_rule_that_raises_is_named() -> None:
    with pytest.raises(PluginError, match=r"'broken' \(.*Broken\) raised in reward\(\): ZeroDivisionError: oops"):
        rule_values([Broken()], PROBLEM, path(Outcome.FIRST))


def test_contracts() -> None:
    for rule in (VerdictRule(), Format(), Length()):
        check_rule(rule, PROBLEM)
