r"""The arithmetic world as one of the worlds: the same questions and usual traces, and a check that also takes other valid ways to work.

The rule ``sound`` of the arithmetic world takes one text for each question; nothing that was measured with it changes here. This check
also takes columns whose digits stand the other way round, and comparisons in another order. Example for ``37+48``:

    usual       rare        cancelled
    7+8+0=15    8+7+0=15    7+8+0=15
    3+4+1=08    3+4+1=08    3+4+0=08

Cancelled: a carry is left out and its column is right all the same, or a column is off by one and the sum is right.
"""

from __future__ import annotations

import random
import re

from adjudge import coin
from adjudge_arithmetic import columns, draw

from .world import Answers, Question, Style, World

_SUM = re.compile(r"([1-9]\d*)\+([1-9]\d*)", re.ASCII)


class SumsWorld(World):
    """Sums, worked column by column."""

    name = "arithmetic"

    def draw(self, level: int, rng: random.Random) -> Question:
        drawn = draw(level, rng)
        return Question(drawn.text, str(drawn.right), str(drawn.wrong))

    def work(self, question: str, answers: Answers, style: Style, slip: float, rng: random.Random) -> tuple[list[str], list[bool]]:
        """Without slips: the arithmetic judge was made by a writer of its own, and is not made here."""
        worked, total = _worked(question)
        steps = [(x, y, carry, x + y + carry) for x, y, carry in worked]
        if style == "rare":
            turned = [place for place, (x, y, _) in enumerate(worked) if x != y and coin(rng)]
            for place in turned or range(len(worked)):
                x, y, carry, column = steps[place]
                steps[place] = (y, x, carry, column)
        if style == "cancelled":
            place = rng.randrange(len(steps))
            x, y, carry, column = steps[place]
            off = column + (rng.choice((-1, 1)) if column else 1)
            steps[place] = (x, y, 0, column) if carry and coin(rng) else (x, y, carry, off)
        lines = [f"{x}+{y}+{carry}={column:02d}" for x, y, carry, column in steps]
        return [*lines, f"sum {total}"], [answer == str(total) for answer in answers]

    def check(self, question: str, answers: Answers, lines: list[str]) -> list[bool] | None:
        worked, total = _worked(question)
        ways = [{f"{x}+{y}+{carry}={x + y + carry:02d}", f"{y}+{x}+{carry}={x + y + carry:02d}"} for x, y, carry in worked]
        ways.append({f"sum {total}"})
        if len(lines) != len(ways) or not all(line in way for line, way in zip(lines, ways, strict=True)):
            return None
        return [answer == str(total) for answer in answers]


def _worked(question: str) -> tuple[list[tuple[int, int, int]], int]:
    found = _SUM.fullmatch(question)
    if found is None:
        raise ValueError(f"{question!r} is no sum")
    a, b = int(found[1]), int(found[2])
    return columns(a, b), a + b
