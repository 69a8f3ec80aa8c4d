"""The questions of the arithmetic world: sums with a right and a plausible wrong answer, graded by the number of digits.

Example, level 1 (two digits): ``37+48`` with the answers ``85`` (right) and ``75`` (a carry was dropped).
A question's level is its number of digits minus one. Everything is drawn from the `random.Random` handed in.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

LEVELS = (1, 2, 3, 4)
STANDARD = (1, 2)
"""The standard difficulty: two and three digits."""
TEST_SHARE = 0.2
"""Share of all questions, by hash, that are for testing alone."""


@dataclass(frozen=True, slots=True)
class Sum:
    """One question with its two answers, in the order right, wrong."""

    a: int
    b: int
    wrong: int

    @property
    def right(self) -> int:
        return self.a + self.b

    @property
    def level(self) -> int:
        return len(str(self.a)) - 1

    @property
    def text(self) -> str:
        return f"{self.a}+{self.b}"


def columns(a: int, b: int) -> list[tuple[int, int, int]]:
    """The columns of a written addition, rightmost first: (digit of a, digit of b, carry in)."""
    carry, found = 0, []
    while a or b:
        found.append((a % 10, b % 10, carry))
        carry = (a % 10 + b % 10 + carry) // 10
        a, b = a // 10, b // 10
    return found


def wrong_answer(a: int, b: int, rng: random.Random) -> int:
    """An answer as a slip would give it: a dropped carry where there is one (half the time), else one digit off by one."""
    right = a + b
    carried = [i for i, (_, _, carry) in enumerate(columns(a, b)) if carry]
    if carried and rng.random() < 0.5:
        return right - int(10 ** rng.choice(carried))
    digits = [int(digit) for digit in str(right)]
    place = rng.randrange(len(digits))
    choices = [d for d in (digits[place] - 1, digits[place] + 1) if 0 <= d <= 9 and not (place == 0 and d == 0)]
    digits[place] = rng.choice(choices)
    return int("".join(map(str, digits)))


def draw(level: int, rng: random.Random) -> Sum:
    """A fresh question of this level."""
    low, high = 10**level, 10 ** (level + 1) - 1
    a, b = rng.randint(low, high), rng.randint(low, high)
    return Sum(a, b, wrong_answer(a, b, rng))
