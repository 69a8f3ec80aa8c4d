"""The embedded world: sums with a right and a plausible wrong answer, a tiny model that judges them, and a check of its reasoning.

No paper has this world; it is here because in it a chain of training runs for real on two cores, and because, unlike real data,
it can tell whether a path that reached the right verdict was *sound*: every written step true. The model in ``model/`` is a
Qwen2 made by ``python -m adjudge_arithmetic.pretrain``; it reasons soundly, carelessly, or merely guesses, each in its share.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator

from adjudge import (
    ConfigError,
    Dataset,
    Path,
    Problem,
    RewardRule,
    held_out,
    hookimpl,
    stable_id,
    stable_seed,
)

from .traces import is_sound
from .world import LEVELS, STANDARD, draw

TEST_SHARE = 0.2


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
        seen: set[str] = set()
        drawn = 0
        while len(seen) < self.size:
            drawn += 1
            if drawn > 100 * self.size + 10_000:
                raise ConfigError(
                    f"arithmetic: after {drawn:,} draws only {len(seen):,} different questions of levels {self.levels} were found in part"
                    f" {self.part!r}, of {self.size:,} asked for.\n  Remedy: lower size, or add higher levels."
                )
            level = self.levels[len(seen) % len(self.levels)]
            question = draw(level, rng)
            label = rng.randrange(2)
            if question.text in seen or held_out(question.text, TEST_SHARE) != (self.part == "test"):
                continue
            seen.add(question.text)
            answers = (str(question.right), str(question.wrong))
            yield Problem(stable_id(question.text, answers, label), question.text, answers[:: -1 if label else 1], label, {"level": level})


class Sound(RewardRule):
    """1 when every written step is there and true, else 0; None where the question is not a sum: what no real data set can tell."""

    use: Literal["sound"] = "sound"

    def reward(self, problem: Problem, path: Path) -> float | None:
        if path.completion.error is not None:
            return None
        try:
            a, b = map(int, problem.prompt.split("+"))
            first, second = map(int, problem.answers)
        except ValueError:
            return None
        shown = (first, second) if path.order == "given" else (second, first)
        return float(is_sound(a, b, shown, path.completion.text))


@hookimpl
def register_datasets() -> Iterable[type[Dataset]]:
    from .benchmark import ArithmeticLevels  # it builds on the data set above

    return [ArithmeticDataset, ArithmeticLevels]


@hookimpl
def register_reward_rules() -> Iterable[type[RewardRule]]:
    return [Sound]
