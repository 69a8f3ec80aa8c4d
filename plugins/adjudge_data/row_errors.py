"""What is wrong with a row that can be read; its reader names the file and the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class RowError(Exception):
    """A row that can be read and cannot be used; becomes a `DataError` with its file and line."""


class IdenticalAnswersError(RowError):
    """A pair of which both answers are the same text: no judge can be right about it, so it is left out and counted."""

    def __init__(self, first: int = 1, second: int = 2, rest: Sequence[Any] = ()) -> None:
        super().__init__(f"has two identical answers (number {first} and number {second}), and no judge can be right about those")
        self.rest = rest
        """What the row is besides, where it holds several pairs."""
