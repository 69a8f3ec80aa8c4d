"""How the arithmetic judge reasons: sound, flawed and guessing traces, and the check that tells which a written trace is.

A sound trace for 37+48 with the answers 85 and 75 works each column as ``digit+digit+carry=two digits``, writes the sum,
compares it with both answers in words and gives the verdict:

    7+8+0=15
    3+4+1=08
    sum 85
    1 85 yes
    2 75 no
    \\boxed{Assistant 1}

A flawed trace has slips (a dropped carry, a digit off by one, a careless comparison) and goes on from them; when no answer
fits, it picks one by chance. A guessing trace writes ``looks like 85`` and no sum at all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from .world import columns


@dataclass(frozen=True, slots=True)
class Habits:
    """How often the writer of a trace errs; every field is a probability."""

    guess: float = 0.0
    """Share of traces that only guess."""
    slip: float = 0.0
    """Per column: a wrong digit, or a dropped carry."""
    careless: float = 0.0
    """Per comparison: the wrong word."""


SOUND = Habits()


def verdict_text(choice: int) -> str:
    return f"\\boxed{{Assistant {choice}}}"


def _worked_columns(a: int, b: int, habits: Habits, rng: random.Random) -> tuple[list[str], int]:
    lines, carry, total = [], 0, 0
    for place, (x, y, _) in enumerate(columns(a, b)):
        if carry and rng.random() < habits.slip:
            carry = 0
        column = x + y + carry
        if rng.random() < habits.slip:
            column = max(0, min(19, column + rng.choice((-1, 1))))
        lines.append(f"{x}+{y}+{carry}={column:02d}")
        carry = column // 10
        total += column % 10 * 10**place
    return lines, total + carry * 10 ** len(lines)


def write_trace(a: int, b: int, answers: tuple[int, int], habits: Habits, rng: random.Random) -> str:
    """A trace as a writer with these habits would write it, ending with its verdict."""
    if rng.random() < habits.guess:
        choice = rng.choice((1, 2))
        return f"looks like {answers[choice - 1]}\n{verdict_text(choice)}"
    lines, total = _worked_columns(a, b, habits, rng)
    lines.append(f"sum {total}")
    fits = []
    for number, answer in enumerate(answers, 1):
        fit = (answer == total) != (rng.random() < habits.careless)
        lines.append(f"{number} {answer} {'yes' if fit else 'no'}")
        fits.append(fit)
    choice = fits.index(True) + 1 if sum(fits) == 1 else rng.choice((1, 2))
    return "\n".join([*lines, verdict_text(choice)])


def is_sound(a: int, b: int, answers: tuple[int, int], text: str) -> bool:
    """Whether every step of a trace is there and true: each column, the sum, both comparisons, and the verdict they imply."""
    expected = write_trace(a, b, answers, SOUND, random.Random(0))
    return text.strip() == expected
