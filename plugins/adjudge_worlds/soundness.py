"""Reward rules that no real data set can have: whether every step that a path writes is there and true, one rule for each world."""

from __future__ import annotations

from typing import ClassVar, Literal

from adjudge import Problem, ReasoningPath, RewardRule

from .installed import WORLDS
from .sums_world import SumsWorld
from .world import World


def told_by(world: World, problem: Problem, path: ReasoningPath) -> float | None:
    """1 or 0 as the world calls a path sound; None where the question is none of this world's, and for a call that failed."""
    if path.completion.error is not None or len(problem.answers) != 2:
        return None
    first, second = problem.answers[:: 1 if path.order == "given" else -1]
    try:
        return float(world.sound(problem.prompt, (first, second), path.completion.text))
    except ValueError:
        return None


class SoundIn(RewardRule):
    """The base of the rules: asks the world."""

    world: ClassVar[World]

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return told_by(self.world, problem, path)


class SoundCode(SoundIn):
    """1 when a program's every step is there and true, else 0; None where the question is no program of the code world."""

    use: Literal["sound-code"] = "sound-code"
    world = WORLDS["code"]


class SoundInstructions(SoundIn):
    """1 when every constraint is checked and truly, else 0; None where the question is no list of constraints."""

    use: Literal["sound-instructions"] = "sound-instructions"
    world = WORLDS["instructions"]


class SoundEmbedded(RewardRule):
    """1 when every step is there and true, however seldom it is written so, else 0; None where the question is of no embedded world."""

    use: Literal["sound-embedded"] = "sound-embedded"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        told = (told_by(world, problem, path) for world in (SumsWorld(), *WORLDS.values()))
        return next((found for found in told if found is not None), None)
