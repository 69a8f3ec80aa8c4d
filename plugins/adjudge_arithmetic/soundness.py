"""A reward rule that no real data set can have: whether every step that a path writes is there and true."""

from __future__ import annotations

from typing import Literal

from adjudge import Problem, ReasoningPath, RewardRule

from .traces import is_sound


class Sound(RewardRule):
    """1 when every written step is there and true, else 0; None where the question is not a sum: what no real data set can tell."""

    use: Literal["sound"] = "sound"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if path.completion.error is not None:
            return None
        try:
            a, b = map(int, problem.prompt.split("+"))
            first, second = map(int, problem.answers)
        except ValueError:
            return None
        shown = (first, second) if path.order == "given" else (second, first)
        return float(is_sound(a, b, shown, path.completion.text))
