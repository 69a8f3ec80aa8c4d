"""Sums as a data set: seeded, of graded difficulty, in two parts that share no question.

Example, level 1: the prompt ``37+48`` with the answers ``85``, which is right, and ``75``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator

from adjudge import ConfigError, Dataset, Problem, held_out, stable_id, stable_seed

from .world import LEVELS, STANDARD, TEST_SHARE, draw

PATIENCE = 50
"""Draws in vain for every question found, after which there is no other: one in five would be of the test part, so e⁻¹⁰ are missed."""


class ArithmeticDataset(Dataset):
    """Seeded sums of graded difficulty, the right answer first or second by chance; no question stands in both parts."""

    use: Literal["arithmetic"] = "arithmetic"
    levels: list[int] = list(STANDARD)
    """Difficulties, in equal shares: level n has n + 1 digits, 1 to 4."""
    size: Annotated[int, Field(gt=0)] = 1000
    """How many problems."""
    part: Literal["train", "test"] = "train"
    """Which part of all questions to draw from; a fifth of them, by hash, is for testing."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed draws other sums."""

    @field_validator("levels")
    @classmethod
    def _known(cls, levels: list[int]) -> list[int]:
        if not levels or not set(levels) <= set(LEVELS):
            raise ValueError(f"levels are some of {', '.join(map(str, LEVELS))}")
        return levels

    def load(self) -> Iterable[Problem]:
        rng = random.Random(stable_seed("arithmetic", self.levels, self.part, self.seed))
        drawn: set[str] = set()
        """Of either part: what was found in the other one is not looked up again."""
        found = in_vain = 0
        while found < self.size:
            in_vain += 1
            if in_vain > 1000 + PATIENCE * found:
                raise ConfigError(
                    f"arithmetic: only {found:,} different questions of levels {self.levels} were found in part {self.part!r}, of"
                    f" {self.size:,} asked for; {in_vain - 1:,} more draws had no other.\n  Remedy: lower size, or add higher levels."
                )
            level = self.levels[found % len(self.levels)]
            question = draw(level, rng)
            label = rng.randrange(2)
            if question.text in drawn:
                continue
            drawn.add(question.text)
            if held_out(question.text, TEST_SHARE) != (self.part == "test"):
                continue
            in_vain, found = 0, found + 1
            answers = (str(question.right), str(question.wrong))
            yield Problem(stable_id(question.text, answers, label), question.text, answers[:: -1 if label else 1], label, {"level": level})
