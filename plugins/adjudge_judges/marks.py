"""Reads the verdict that a judge writes as a mark. How a text is read is imported with the first one: its many patterns cost time."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from adjudge import Outcome, Span, Verdict

Meaning = TypeVar("Meaning", bound=Hashable)
Finder: TypeAlias = Callable[[str], Iterable[tuple[Span, str]]]
"""Finds marks in a text, in order: where they stand, and what they state."""
GAP = r"[\s{}\"'`“”‘’_]{0,6}"
"""A pattern of what may stand inside a mark around its words: spaces, braces, quotation marks."""


def read_marks(text: str, marks: Sequence[re.Pattern[str]], outcomes: Mapping[str, Outcome]) -> Verdict:
    """The verdict that a text states by marks; *unreadable* where it states none, or two.

    A pattern's first group that matched is what a mark states: a key of `outcomes`, in capitals and without spaces. Later patterns are
    weaker: they are looked at where the earlier ones find no statement.
    """
    found = read_statement(text, marks, outcomes.get)
    outcome, (start, stop) = found or (None, (0, 0))
    if outcome is None:
        return Verdict(Outcome.UNREADABLE)
    return Verdict(outcome, reasoning=(0, start), answer=(start, stop))


def read_statement(
    text: str, marks: Sequence[re.Pattern[str] | Finder], meaning: Callable[[str], Meaning], *, markup: bool = False
) -> tuple[Meaning, Span] | None:
    """What a text states, and where it does so for the last time; None where it states nothing, or two things.

    Marks are looked for in the text as a person sees it, or with `markup` in the text as it is."""
    from .statements import statement_in

    return statement_in(text, marks, meaning, markup=markup)
