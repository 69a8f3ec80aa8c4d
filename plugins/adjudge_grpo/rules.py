"""Reward rules on what a judgement says and how it is written. None = the rule does not apply, and is never counted as 0.

The papers have rules that always apply. TRL adds up several reward functions with None as 0, which beside functions that are negative makes
a completion that could not be judged the best of its group; here the rule has no say in such a path (decision 0022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Outcome, Problem, ReasoningPath, RewardRule, boundary, number_or_none


class VerdictRule(RewardRule):
    """+1 when the verdict is the label, -1 otherwise, also when it is unreadable or truncated (RRM); None for a failed call."""

    needs: ClassVar[str] = "labels"
    needs_labels: ClassVar[bool] = True
    use: Literal["verdict"] = "verdict"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        right = path.right(problem)
        return None if right is None else 1.0 if right else -1.0


class Format(RewardRule):
    """+1 when the judgement ends in time with a verdict that can be read, -1 otherwise; None for a failed call."""

    use: Literal["format"] = "format"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if path.outcome == Outcome.FAILED:
            return None
        return 1.0 if path.outcome.decided else -1.0


class Length(RewardRule):
    """0 up to `target` tokens, then in a line to -1 at `limit` and staying there; None for a failed call or without tokens."""

    use: Literal["length"] = "length"
    target: Annotated[int, Field(ge=0)] = 512
    """Tokens that cost nothing."""
    limit: Annotated[int, Field(gt=0)] = 1024
    """Tokens at which the reward is -1; must be above `target`."""

    def model_post_init(self, context: object) -> None:
        if self.limit <= self.target:
            raise ValueError("limit must be above target")

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if path.outcome == Outcome.FAILED or not path.completion.token_ids:
            return None
        over = (len(path.completion.token_ids) - self.target) / (self.limit - self.target)
        return -min(1.0, max(0.0, over))


def rule_values(rules: Sequence[RewardRule], problem: Problem, path: ReasoningPath) -> dict[str, float | None]:
    """What every rule says of a path."""
    values: dict[str, float | None] = {}
    for rule in rules:
        with boundary(rule, "reward"):
            values[rule.use] = number_or_none(rule, "reward", rule.reward(problem, path))
    return values


def group_rewards(rules: Sequence[RewardRule], group: Sequence[Mapping[str, float | None]]) -> list[float | None]:
    """The rewards of a group's paths: for each the weighted sum of what the rules say, None where none of them applies.

    Where a rule does not apply to a path and does to others of the group, their mean stands in, so that the rule's share in the path's
    advantage is 0: it makes a path that it could not judge neither better nor worse. A rule that applies to none of them is left out.
    """
    means = {rule.use: _mean([value for values in group if (value := values[rule.use]) is not None]) for rule in rules}
    rewards: list[float | None] = []
    for values in group:
        parts = [(rule.weight, means[rule.use] if (value := values[rule.use]) is None else value) for rule in rules]
        total = sum(weight * value for weight, value in parts if value is not None)
        rewards.append(None if all(value is None for value in values.values()) else total)
    return rewards


def _mean(values: Sequence[float]) -> float | None:
    """Within the values also to the last digit, so that equal ones have themselves as their mean."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values)) if values else None
