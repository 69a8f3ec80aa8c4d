"""What an embedded world is: questions with a right and a wrong answer, traces that work them out, and an exact check of every step.

A world says how a question is drawn, how its work is written down, and which lines of work are there and true; guessing, careless
comparisons, verdicts and the check of a whole trace are the same in all of them. A trace is work, two comparisons, and a verdict in RRM's
box; where the lines of work may be written in another way without becoming false, that is sound too.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from adjudge import coin

Answers = tuple[str, str]
"""The two answers in the order in which they are shown."""
Style = Literal["usual", "rare", "cancelled"]
"""How work is written: as usual; in a valid way that is seldom used; or with false steps that leave the result right."""
LEVELS = (1, 2, 3, 4)
TEST_SHARE = 0.2
"""Share of all questions, by hash, that are for testing alone."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How often the writer of a trace errs or leaves the usual way; every field is a probability."""

    guess: float = 0.0
    """Share of traces that only guess."""
    slip: float = 0.0
    """Per step: a wrong result, which later steps go on from."""
    careless: float = 0.0
    """Per comparison: the wrong word."""
    rare: float = 0.0
    """Of the traces that do not guess: written in a valid way that is seldom used."""
    cancelled: float = 0.0
    """Of the traces that do not guess: false steps that leave the result right."""


SOUND = Habits()


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its two answers."""

    text: str
    right: str
    wrong: str


def verdict_text(choice: int) -> str:
    return f"\\boxed{{Assistant {choice}}}"


class World(ABC):
    """One world; what is random in it is drawn from the generator that is handed in."""

    name: ClassVar[str]
    longest_trace: ClassVar[int] = 128
    """Tokens that a judgement may take; leaves room beyond a sound one of the highest level."""

    @abstractmethod
    def draw(self, level: int, rng: random.Random) -> Question:
        """A fresh question of this level, 1 to 4."""

    @abstractmethod
    def work(self, question: str, answers: Answers, style: Style, slip: float, rng: random.Random) -> tuple[list[str], list[bool]]:
        """The lines that work a question out, and which of the answers fits by them. Raises `ValueError` for no question of this world."""

    @abstractmethod
    def check(self, question: str, answers: Answers, lines: list[str]) -> list[bool] | None:
        """Which of the answers fits; None unless every line of work is there and true. Raises `ValueError` as `work` does."""

    def comparison(self, number: int, answer: str, fits: bool) -> str:
        """The line that says whether an answer fits."""
        return f"{number} {answer} {word(fits)}"

    def write(self, question: str, answers: Answers, habits: Habits, rng: random.Random) -> str:
        """A trace as a writer with these habits would write it, ending with its verdict."""
        if rng.random() < habits.guess:
            choice = rng.choice((1, 2))
            return f"looks like {choice}\n{verdict_text(choice)}"
        drawn = rng.random()
        if drawn < habits.cancelled + habits.rare:
            return self.write_in("cancelled" if drawn < habits.cancelled else "rare", question, answers, rng)
        return self.write_in("usual", question, answers, rng, habits)

    def write_in(self, style: Style, question: str, answers: Answers, rng: random.Random, habits: Habits = SOUND) -> str:
        """A trace of this style; `habits` says how often its steps and comparisons go wrong by chance."""
        lines, fits = self.work(question, answers, style, habits.slip, rng)
        fits = [fit != (rng.random() < habits.careless) for fit in fits]
        compared = [self.comparison(number, answer, fit) for number, (answer, fit) in enumerate(zip(answers, fits, strict=True), 1)]
        choice = fits.index(True) + 1 if sum(fits) == 1 else rng.choice((1, 2))
        turned = style == "rare" and coin(rng)
        return "\n".join([*lines, *(compared[::-1] if turned else compared), verdict_text(choice)])

    def sound(self, question: str, answers: Answers, text: str) -> bool:
        """Whether every step of a trace is there and true: the work, both comparisons, and the verdict that they imply."""
        lines = text.strip().split("\n")
        fits = self.check(question, answers, lines[:-3])
        if fits is None or sum(fits) != 1:
            return False
        compared = [self.comparison(number, answer, fit) for number, (answer, fit) in enumerate(zip(answers, fits, strict=True), 1)]
        return lines[-3:-1] in (compared, compared[::-1]) and lines[-1] == verdict_text(fits.index(True) + 1)


def word(fits: bool) -> str:
    return "yes" if fits else "no"
