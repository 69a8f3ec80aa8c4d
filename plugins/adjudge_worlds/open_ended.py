"""Instructions without one right answer: many texts fulfil the constraints, and the reference is but one of them.

Example: for ``A 3 words`` and ``B with fox`` the reference may be ``fox sun cat``, and the candidate that fulfils both ``red fox hat``.
What compares an answer with a reference by its words is wrong here where what checks the constraints is right.
"""

from __future__ import annotations

import random
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Problem, stable_id

from .constraints import Constraint, edited
from .datasets import Drawn, WorldDataset
from .installed import WORLDS
from .instructions_world import breaking, parse

LONGEST = 7
"""Words that a candidate has at most before it is made to break anything: as many as the longest reference."""


class OpenInstructions(WorldDataset):
    """Constraints, candidates that break none to several of them, and a reference text: `meta` has ``reference`` and ``broken``."""

    use: Literal["instructions-open"] = "instructions-open"
    world = WORLDS["instructions"]
    candidates: Annotated[int, Field(ge=2, le=4)] = 2
    """Texts to choose among; one fulfils everything, the next breaks one constraint, and so on, as far as there are so many."""

    def _problem(self, drawn: Drawn, rng: random.Random) -> Problem:
        question = drawn.question.text
        constraints, reference = parse(question), drawn.question.right.split()
        texts = [" ".join(_other(constraints, reference, rng))]
        for count in range(1, self.candidates):
            made = breaking(texts[0].split(), constraints, min(count, len(constraints)), rng)
            texts.append(drawn.question.wrong if made is None else " ".join(made))
        rng.shuffle(texts)
        broken = [sum(not one.holds(text) for one in constraints) for text in texts]
        meta = {"level": drawn.level, "reference": drawn.question.right, "broken": broken}
        return Problem(stable_id(question, texts), question, tuple(texts), broken.index(0), meta)


def _other(constraints: list[Constraint], reference: list[str], rng: random.Random) -> list[str]:
    """Another text that fulfils the constraints, as different from the reference as a walk of random edits makes it."""
    words = reference
    for _ in range(200):
        changed = edited(words, rng)
        text = " ".join(changed)
        if len(changed) <= LONGEST and all(one.holds(text) for one in constraints):
            words = changed
    return words
