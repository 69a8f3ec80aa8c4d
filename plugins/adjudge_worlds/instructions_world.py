r"""The world of instructions: which text fulfils every constraint? Level n has n + 1 of them, and texts of 3 to n + 3 words.

Example, level 2, with the answers ``fox sun cat`` (right) and ``sun fox cat`` (the order is wrong), and its sound trace:

    A 3 words             A 3 yes 3 yes
    B fox before sun      B fox sun yes sun fox no
    C without e           C none yes none yes
                          1 yes
                          2 no
                          \boxed{Assistant 1}

Every line states what it looks at in the first and the second text, and whether the constraint holds by that. Seldom used and valid: the
constraints are checked in another order, and the second answer may be compared first. False and cancelled: the constraint that is broken is
said to hold, and one that holds is said to be broken.
"""

from __future__ import annotations

import random
from string import ascii_uppercase

from .constraints import KINDS, WORDS, Constraint, draw_constraint, edited
from .world import Answers, Question, Style, World, word


class InstructionsWorld(World):
    """Short texts, and constraints that one of them breaks."""

    name = "instructions"

    def draw(self, level: int, rng: random.Random) -> Question:
        while True:
            words = rng.sample(WORDS, rng.randint(3, 3 + level))
            drawn = [draw_constraint(kind, words, rng) for kind in rng.sample(KINDS, level + 1)]
            constraints = [one for one in drawn if one is not None]
            wrong = breaking(words, constraints, 1, rng)
            if len(constraints) == level + 1 and wrong is not None:
                return Question(numbered(constraints), " ".join(words), " ".join(wrong))

    def work(self, question: str, answers: Answers, style: Style, slip: float, rng: random.Random) -> tuple[list[str], list[bool]]:
        constraints = parse(question)
        seen = [[one.evidence(text) for text in answers] for one in constraints]
        wrong = {(row, column) for row in range(len(constraints)) for column in (0, 1) if rng.random() < slip}
        if style == "cancelled":
            wrong = _cancelled(constraints, answers, rng)
        for row, column in sorted(wrong):
            seen[row][column] = constraints[row].mistaken(answers[column], rng)
        lines = _lines(constraints, seen)
        if style == "rare":
            order = list(range(len(lines)))
            while len(order) > 1 and order == sorted(order):
                rng.shuffle(order)
            lines = [lines[place] for place in order]
        return lines, [all(one.holds_by(row[column]) for one, row in zip(constraints, seen, strict=True)) for column in (0, 1)]

    def check(self, question: str, answers: Answers, lines: list[str]) -> list[bool] | None:
        constraints = parse(question)
        expected = _lines(constraints, [[one.evidence(text) for text in answers] for one in constraints])
        if sorted(lines) != sorted(expected):
            return None
        return [fulfils(question, text) for text in answers]

    def comparison(self, number: int, answer: str, fits: bool) -> str:
        return f"{number} {word(fits)}"


def numbered(constraints: list[Constraint]) -> str:
    """Constraints as a question, one labelled constraint a line."""
    return "\n".join(f"{label} {one}" for label, one in zip(ascii_uppercase, constraints, strict=False))


def parse(question: str) -> list[Constraint]:
    """The constraints of a question. Raises `ValueError` for any other text."""
    constraints = [Constraint.read(line.partition(" ")[2]) for line in question.split("\n")]
    if numbered(constraints) != question:
        raise ValueError("not a list of constraints: one a line, labelled A, B, C and so on")
    return constraints


def fulfils(question: str, text: str) -> bool:
    """Whether a text fulfils every constraint of a question."""
    return all(one.holds(text) for one in parse(question))


def breaking(words: list[str], constraints: list[Constraint], count: int, rng: random.Random) -> list[str] | None:
    """A text few edits away from one that fulfils all constraints, which breaks so many of them; None where it is not found soon."""
    for _ in range(60):
        changed = words
        for _ in range(max(1, count)):
            changed = edited(changed, rng)
        text = " ".join(changed)
        if changed and changed != words and sum(not one.holds(text) for one in constraints) == count:
            return changed
    return None


def _lines(constraints: list[Constraint], seen: list[list[str]]) -> list[str]:
    return [
        f"{label} " + " ".join(f"{evidence} {word(one.holds_by(evidence))}" for evidence in row)
        for label, one, row in zip(ascii_uppercase, constraints, seen, strict=False)
    ]


def _cancelled(constraints: list[Constraint], answers: Answers, rng: random.Random) -> set[tuple[int, int]]:
    """What has to be seen wrongly, by row and column, for a text that breaks some constraints to break another one instead."""
    cells = {(row, column): one.holds(text) for row, one in enumerate(constraints) for column, text in enumerate(answers)}
    broken = [cell for cell, held in cells.items() if not held]
    kept = [(row, column) for (row, column), held in cells.items() if held and column in {other for _, other in broken}]
    return {*broken, rng.choice(kept)} if kept else set()
