"""Problems that come with paths to judge: some right and unlikely, some false and fluent, each case in a known number.

Every path reaches the right verdict, so that a label cannot tell them apart; only what is written can. A problem's ``meta["paths"]`` lists
them as rows: ``text``, ``sound``, which is exact, and ``case``: ``usual``, the one sound trace as it is usually written; ``rare``, a valid
way that is seldom used; or ``cancelled``, false steps that leave the result right. A scorer of paths is good at this as far as it
prefers what is sound.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Json, Problem

from .datasets import Drawn, WorldDataset
from .installed import WORLDS
from .sums_world import SumsWorld
from .world import Style

TRIES = 50
"""How often another path of a case is drawn before there are taken to be no more."""


class AdversarialDataset(WorldDataset):
    """The base of the adversarial sets: one usual path for each problem, and so many of the two hard cases."""

    part: Literal["train", "test"] = "test"
    """Which part of all questions to draw from; a fifth of them, by hash, is for testing."""
    rare: Annotated[int, Field(ge=0, le=2)] = 2
    """Paths of each problem that are valid and written in a way that is seldom used; fewer where a question has no more."""
    cancelled: Annotated[int, Field(ge=0, le=2)] = 2
    """Paths of each problem with false steps that leave the result right; fewer where a question has no more."""

    def _problem(self, drawn: Drawn, rng: random.Random) -> Problem:
        wanted: dict[Style, int] = {"usual": 1, "rare": self.rare, "cancelled": self.cancelled}
        bare = drawn.problem({})
        return drawn.problem({"paths": [row for case, count in wanted.items() for row in self._paths(bare, case, count, rng)]})

    def _paths(self, problem: Problem, case: Style, count: int, rng: random.Random) -> Iterator[dict[str, Json]]:
        """Different paths of one case, as many as are found."""
        answers = (problem.answers[0], problem.answers[1])
        usual = self.world.write_in("usual", problem.prompt, answers, rng)
        texts: dict[str, None] = {}
        for _ in range(TRIES * count):
            text = self.world.write_in(case, problem.prompt, answers, rng)
            if len(texts) < count and (text != usual or case == "usual"):  # a seldom used way to write 3+3 is the usual one
                texts[text] = None
        return ({"text": text, "case": case, "sound": self.world.sound(problem.prompt, answers, text)} for text in texts)


class ArithmeticAdversarial(AdversarialDataset):
    """Sums with paths to tell apart: usual, valid but seldom written so, and false steps that cancel."""

    use: Literal["arithmetic-adversarial"] = "arithmetic-adversarial"
    world = SumsWorld()


class CodeAdversarial(AdversarialDataset):
    """Tiny programs with paths to tell apart: usual, valid but seldom written so, and false steps that cancel."""

    use: Literal["code-adversarial"] = "code-adversarial"
    world = WORLDS["code"]


class InstructionsAdversarial(AdversarialDataset):
    """Constraints with paths to tell apart: usual, valid but seldom written so, and false steps that cancel."""

    use: Literal["instructions-adversarial"] = "instructions-adversarial"
    world = WORLDS["instructions"]


def path_rows(problems: Iterable[Problem]) -> Iterator[dict[str, Json]]:
    """The paths of an adversarial set as rows for ``adjudge score``, labelled, with their case and whether they are sound."""
    for problem in problems:
        for number, path in enumerate(problem.meta["paths"]):
            pair: dict[str, Json] = {"prompt": problem.prompt, "answers": list(problem.answers), "label": problem.label}
            yield {"id": f"{problem.id}-{number}", **pair, **path}
