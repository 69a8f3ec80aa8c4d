"""Reads two ratings as a verdict: the higher one is better, equal ones are a tie, and the numbers are kept beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from adjudge import Judge, Outcome, Verdict

from .marks import read_statement


@dataclass(frozen=True, slots=True)
class RatedVerdict(Verdict):
    """A verdict with the ratings that it was made from; records keep them."""

    ratings: tuple[float, float] | None = None
    """Of the answer shown first and of the one shown second."""


@runtime_checkable
class RatesAlone(Protocol):
    """A judge that can rate one answer by itself, as ``adjudge rate`` asks for."""

    def alone(self) -> Judge:
        """A judge of problems with one answer, whose readable verdicts are `RatedVerdict` with that answer's rating, twice."""


def rated(text: str, first: re.Pattern[str], second: re.Pattern[str], value: Callable[[str], float | None]) -> Verdict:
    """The verdict of two ratings, which the first groups of two patterns state; *unreadable* unless both are stated, once or alike.

    `value` says what a rating is worth, None or `ValueError` for one that is none."""
    found = [read_statement(text, (pattern,), _number(value)) for pattern in (first, second)]
    if found[0] is None or found[1] is None or found[0][0] is None or found[1][0] is None:
        return Verdict(Outcome.UNREADABLE)
    ratings = (found[0][0], found[1][0])
    start, stop = min(found[0][1][0], found[1][1][0]), max(found[0][1][1], found[1][1][1])
    outcome = Outcome.TIE if ratings[0] == ratings[1] else Outcome.FIRST if ratings[0] > ratings[1] else Outcome.SECOND
    return RatedVerdict(outcome, reasoning=(0, start), answer=(start, stop), ratings=ratings)


def _number(value: Callable[[str], float | None]) -> Callable[[str], float | None]:
    def number(text: str) -> float | None:
        try:
            found = value(text)
        except ValueError:
            return None
        return found if found is not None and math.isfinite(found) else None

    return number
