"""Reward rules: what each says of every outcome, and that a rule without an opinion is left out of the sum."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from adjudge import Completion, Outcome, PluginError, Problem, ReasoningPath, RewardRule, Verdict
from adjudge.testing import check_rule
from adjudge_grpo.rules import Format, Length, VerdictRule, total_reward

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


def test_sum_is_weighted_and_masks_none() -> None:
    rules = [VerdictRule(weight=2.0), Format(weight=0.5), Length(target=0, limit=6, weight=1.0)]
    total, parts = total_reward(rules, PROBLEM, path(Outcome.SECOND))
    assert parts == {"verdict": -1.0, "format": 1.0, "length": -0.5}
    assert total == pytest.approx(-2.0 + 0.5 - 0.5)
    unlabelled = replace(PROBLEM, label=None)
    assert total_reward(rules[:2], unlabelled, path(Outcome.SECOND)) == (0.5, {"verdict": None, "format": 1.0})
    assert total_reward(rules[:1], unlabelled, path(Outcome.SECOND)) == (None, {"verdict": None})


class Library(RewardRule):
    """Says what a library of numbers says."""

    use: Literal["library"] = "library"
    make: Any

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return self.make(0.5)  # type: ignore[no-any-return]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_libraries_take_for_a_number_is_recorded_as_one(library: str) -> None:
    make = import_module(library).float32 if library == "numpy" else import_module(library).tensor
    total, parts = total_reward([Library(make=make)], PROBLEM, path(Outcome.FIRST))
    assert json.loads(json.dumps({"reward": total, "parts": parts})) == {"reward": 0.5, "parts": {"library": 0.5}}


class Broken(RewardRule):
    """Raises."""

    use: Literal["broken"] = "broken"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        raise ZeroDivisionError("oops")


def test_a_rule_that_raises_is_named() -> None:
    with pytest.raises(PluginError, match=r"'broken' \(.*Broken\) raised in reward\(\): ZeroDivisionError: oops"):
        total_reward([Broken()], PROBLEM, path(Outcome.FIRST))


def test_contracts() -> None:
    for rule in (VerdictRule(), Format(), Length()):
        check_rule(rule, PROBLEM)
