"""Preferences: a prompt with a chosen and a rejected answer, in the shapes of TRL and of others, or with the votes of an arena.

{"prompt": "What is 37+48?", "chosen": "85", "rejected": "75"}

Conversational rows hold messages (``{"role": "user", "content": "…"}``) in place of texts; without a `prompt`, it is the conversation
that `chosen` and `rejected` begin with. docs/data.md shows every shape. A seeded coin per pair decides which answer stands first, so that
the label says nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from adjudge import Problem, coin

from .row_errors import IdenticalAnswersError, RowError
from .row_files import RowFile
from .shapes import Columns, Compared, compared

Pairs: TypeAlias = Literal["all", "best-worst"]


class Preference(RowFile):
    """Preferences in TRL's format and others, plain or conversational, each pair in seeded random order."""

    use: Literal["preference"] = "preference"
    pairs: Pairs = "all"
    """Of a row with several chosen or rejected answers: every chosen one with every rejected one, or the first chosen with the last
    rejected alone, where they stand from best to worst."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides which of the two answers stands first; the rows themselves stay in the file's order."""

    def _read(self, row: dict[str, Any]) -> list[Problem]:
        return preferred(row, self.seed, self.columns, self.pairs)


def preferred(row: dict[str, Any], seed: int, columns: Columns | None = None, pairs: Pairs = "all") -> list[Problem]:
    """The pairs that a row is, their ids still empty; one that somebody found equal has no label. Raises `RowError`."""
    found = compared(row, columns)
    if found.tie:
        return [_pair(found.prompt, found.answers[0], found.answers[1], None, seed)]
    if not found.better:
        raise RowError("has no 'label', so none of its answers is the chosen one")
    places, answers = _places(found, pairs), found.answers
    differ = [(better, worse) for better, worse in places if answers[better] != answers[worse]]
    made = [_pair(found.prompt, answers[better], answers[worse], 0, seed) for better, worse in differ]
    for better, worse in places:
        if answers[better] == answers[worse]:
            raise IdenticalAnswersError(better + 1, worse + 1, made)
    return made


def _places(found: Compared, pairs: Pairs) -> list[tuple[int, int]]:
    worse = [place for place in range(len(found.answers)) if place not in found.better]
    if not worse:
        raise RowError("has one answer; a judgement takes two")
    return [(found.better[0], worse[-1])] if pairs == "best-worst" else [(one, other) for one in found.better for other in worse]


def _pair(prompt: str, chosen: str, rejected: str, label: int | None, seed: int) -> Problem:
    if chosen == rejected:
        raise IdenticalAnswersError()
    # The coin knows the two texts and not which one is chosen.
    shown = sorted((chosen, rejected), reverse=coin("presented order", seed, prompt, *sorted((chosen, rejected))))
    return Problem("", prompt, tuple(shown), None if label is None else shown.index(chosen))
