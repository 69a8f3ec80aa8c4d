"""The worlds as data sets: seeded, of graded difficulty, in two parts that share no question."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from adjudge import ConfigError, Dataset, Json, Problem, coin, held_out, stable_id, stable_seed

from .installed import WORLDS
from .world import LEVELS, TEST_SHARE, Question, World


@dataclass(frozen=True, slots=True)
class Drawn:
    """One question of a data set, and on which side its right answer stands."""

    question: Question
    level: int
    label: int

    def problem(self, meta: dict[str, Json]) -> Problem:
        answers = (self.question.right, self.question.wrong)[:: -1 if self.label else 1]
        name = stable_id(self.question.text, answers, self.label)
        return Problem(name, self.question.text, answers, self.label, {"level": self.level, **meta})


class WorldDataset(Dataset):
    """What the data sets of all worlds share: which questions are drawn."""

    world: ClassVar[World]
    levels: list[int] = list(LEVELS)
    """Difficulties, in equal shares, 1 to 4."""
    size: Annotated[int, Field(gt=0)] = 1000
    """How many problems."""
    part: Literal["train", "test"] = "train"
    """Which part of all questions to draw from; a fifth of them, by hash, is for testing."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed draws other questions."""

    @field_validator("levels")
    @classmethod
    def _known(cls, levels: list[int]) -> list[int]:
        if not levels or not set(levels) <= set(LEVELS):
            raise ValueError(f"levels are some of {', '.join(map(str, LEVELS))}")
        return levels

    def load(self) -> Iterable[Problem]:
        return (self._problem(drawn, rng) for drawn, rng in self._draw())

    def _problem(self, drawn: Drawn, rng: random.Random) -> Problem:
        return drawn.problem({})

    def _draw(self) -> Iterator[tuple[Drawn, random.Random]]:
        """Different questions of the part, each with a generator of its own for whatever else is drawn for it."""
        rng = random.Random(stable_seed(self.world.name, self.levels, self.part, self.seed))
        seen: set[str] = set()
        draws = 0
        while len(seen) < self.size:
            draws += 1
            if draws > 100 * self.size + 10_000:
                raise ConfigError(
                    f"{self.use}: after {draws:,} draws only {len(seen):,} different questions of levels {self.levels} were found in part"
                    f" {self.part!r}, of {self.size:,} asked for.\n  Remedy: lower size, or add higher levels."
                )
            level = self.levels[len(seen) % len(self.levels)]
            question = self.world.draw(level, rng)
            label = int(coin(rng))
            if question.text not in seen and held_out(question.text, TEST_SHARE) == (self.part == "test"):
                seen.add(question.text)
                yield Drawn(question, level, label), random.Random(stable_seed(self.use, self.seed, question.text))


class CodeDataset(WorldDataset):
    """Tiny programs in a stack language, with what they leave on the stack and what a slip would leave; level n has 2n + 2 instructions."""

    use: Literal["code"] = "code"
    world = WORLDS["code"]


class InstructionsDataset(WorldDataset):
    """Constraints on a short text, with a text that fulfils all and one that breaks one; level n has n + 1 constraints."""

    use: Literal["instructions"] = "instructions"
    world = WORLDS["instructions"]
