"""Reward rules that no real data set can have: whether every step that a path writes is there and true, one rule for each world."""

from __future__ import annotations

from typing import ClassVar, Literal

from adjudge import Problem, ReasoningPath, RewardRule

from .installed import WORLDS
from .world import World


class SoundIn(RewardRule):
    """The base of the rules: asks the world."""

    world: ClassVar[World]

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if path.completion.error is not None or len(problem.answers) != 2:
            return None
        first, second = problem.answers[:: 1 if path.order == "given" else -1]
        try:
            return float(self.world.sound(problem.prompt, (first, second), path.completion.text))
        except ValueError:
            return None


class SoundCode(SoundIn):
    """1 when a program's every step is there and true, else 0; None where the question is no program of the code world."""

    use: Literal["sound-code"] = "sound-code"
    world = WORLDS["code"]


class SoundInstructions(SoundIn):
    """1 when every constraint is checked and truly, else 0; None where the question is no list of constraints."""

    use: Literal["sound-instructions"] = "sound-instructions"
    world = WORLDS["instructions"]
