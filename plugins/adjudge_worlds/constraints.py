"""Constraints on a short text that a program can check: how many words, which words, in which order, with which letters.

Each constraint looks at one piece of a text, its evidence, and holds or not by that alone: the number of words for ``4 words``, the two
words as they stand for ``fox before sun``. ``none`` is the evidence where there is nothing to look at.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Literal

WORDS = (
    "fox", "fig", "fan", "sun", "sea", "sky", "red", "rum", "cat", "cup", "map", "mud",
    "dog", "den", "hat", "hen", "bus", "bag", "log", "leg", "pin", "pot", "tea", "tub",
)  # fmt: skip
"""All the words that a text is made of."""
VOWELS = "aeiou"
NONE = "none"
Kind = Literal["count", "with", "before", "without", "starts", "ends"]
KINDS: tuple[Kind, ...] = ("count", "with", "before", "without", "starts", "ends")
_FORMS: dict[Kind, str] = {
    "count": r"(\d+) words", "with": r"with ([a-z]+)", "before": r"([a-z]+) before ([a-z]+)", "without": r"without ([a-z])",
    "starts": r"starts ([a-z])", "ends": r"ends ([a-z]+)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint: its kind, and what it asks for."""

    kind: Kind
    asked: tuple[str, ...]

    def __str__(self) -> str:
        first = self.asked[0]
        return {"count": f"{first} words", "before": " before ".join(self.asked)}.get(self.kind, f"{self.kind} {first}")

    @classmethod
    def read(cls, text: str) -> Constraint:
        """Raises `ValueError` for a text that is no constraint."""
        for kind, form in _FORMS.items():
            if found := re.fullmatch(form, text):
                return cls(kind, found.groups())
        raise ValueError(f"{text!r} is no constraint")

    def evidence(self, text: str) -> str:
        """What there is to look at in a text."""
        words = text.split()
        if self.kind == "count":
            return str(len(words))
        if self.kind == "without":
            return next((one for one in words if self.asked[0] in one), NONE)
        if self.kind in ("starts", "ends"):
            return words[0 if self.kind == "starts" else -1] if words else NONE
        found = sorted({one for one in words if one in self.asked}, key=words.index)
        return " ".join(found) or NONE

    def holds_by(self, evidence: str) -> bool:
        """Whether it holds for a text with this evidence."""
        if self.kind == "starts":
            return evidence != NONE and evidence.startswith(self.asked[0])
        return evidence == (NONE if self.kind == "without" else " ".join(self.asked))

    def holds(self, text: str) -> bool:
        return self.holds_by(self.evidence(text))

    def mistaken(self, text: str, rng: random.Random) -> str:
        """False evidence, by which it would hold if it does not, and would not if it does."""
        held = self.holds(text)
        if self.kind == "count":
            return str(len(text.split()) + rng.choice((-1, 1))) if held else self.asked[0]
        if self.kind == "before":
            return " ".join(self.asked[:: -1 if held else 1])
        if self.kind == "with":
            return NONE if held else self.asked[0]
        if not held and self.kind != "starts":
            return NONE if self.kind == "without" else self.asked[0]
        others = [one for one in (*text.split(), *WORDS) if self.holds_by(one) != held]
        return rng.choice(others[: max(1, sum(one in others for one in text.split()))])  # a word of the text itself, where one would do


def draw_constraint(kind: Kind, words: list[str], rng: random.Random) -> Constraint | None:
    """A constraint of this kind that a text of these different words fulfils; None where there is none."""
    if kind == "count":
        return Constraint(kind, (str(len(words)),))
    if kind == "without":
        absent = [vowel for vowel in VOWELS if not any(vowel in one for one in words)]
        return Constraint(kind, (rng.choice(absent),)) if absent else None
    if kind == "before":
        return Constraint(kind, tuple(words[place] for place in sorted(rng.sample(range(len(words)), 2))))
    return Constraint(kind, ({"with": rng.choice(words), "starts": words[0][0], "ends": words[-1]}[kind],))


def edited(words: list[str], rng: random.Random) -> list[str]:
    """The same words with one more, one fewer, one replaced, or two that have changed places; all of them different."""
    result = list(words)
    new = rng.choice([one for one in WORDS if one not in words])
    place = rng.randrange(len(words))
    edit = rng.randrange(4)
    if edit == 0:
        result.insert(rng.randint(0, len(words)), new)
    elif edit == 1 and len(words) > 1:
        del result[place]
    elif edit == 2:
        result[place] = new
    else:
        other = rng.randrange(len(words))
        result[place], result[other] = result[other], result[place]
    return result
