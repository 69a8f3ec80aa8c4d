"""Reward rules on what a judgement says and how it is written. None = the rule does not apply, and is masked, never counted as 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Outcome, Problem, ReasoningPath, RewardRule, boundary, number_or_none


class VerdictRule(RewardRule):
    """+1 when the verdict is the label, -1 otherwise, also when it is unreadable or truncated (RRM); None for a failed call."""

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


def total_reward(rules: Sequence[RewardRule], problem: Problem, path: ReasoningPath) -> tuple[float | None, dict[str, float | None]]:
    """Weighted sum of the rules that apply, None when none does; and every rule's own value."""
    parts: dict[str, float | None] = {}
    for rule in rules:
        with boundary(rule, "reward"):
            parts[rule.use] = number_or_none(rule, "reward", rule.reward(problem, path))
    values = [rule.weight * value for rule, value in zip(rules, parts.values(), strict=True) if value is not None]
    return (sum(values) if values else None), parts
