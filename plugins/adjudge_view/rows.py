"""Light rows of judgements: what lists are filtered and sorted by, as columns in memory, and where the whole judgement stands."""

from __future__ import annotations

from typing import Any

import numpy as np

OUTCOMES = ("first", "second", "tie", "unreadable", "truncated", "failed")
ORDERS = ("given", "swapped")
ROW = np.dtype(
    [
        ("file", "<u2"), ("offset", "<i8"), ("size", "<u4"), ("sub", "<i2"), ("stage", "<u2"), ("set", "<u2"), ("problem", "<u4"),
        ("order", "i1"), ("index", "<i4"), ("step", "<i4"), ("outcome", "i1"), ("right", "i1"), ("kept", "i1"), ("tokens", "<i4"),
        ("score", "<f8"), ("score_file", "<u2"), ("score_offset", "<i8"), ("score_size", "<u4"),
    ]
)  # fmt: skip
"""-1 where a code, a count or a yes or no is not known, not a number where there is no score; `sub`: which judgement of a verdict's row."""


class Codes:
    """Small numbers for names."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """The name's number, a new one for a new name."""
        found = self._codes.get(name)
        if found is None:
            found = self._codes[name] = len(self.names)
            self.names.append(name)
        return found

    def known(self, name: str) -> int | None:
        return self._codes.get(name)


class Rows:
    """A growing table; what was read from it stays as it was when more is added, but for scores that come later."""

    def __init__(self) -> None:
        self._rows: Any = np.zeros(1024, ROW)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, row: Any) -> int:
        """Add a row, and return its number."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros(len(self._rows), ROW)])
        self._rows[self._count] = row
        self._count += 1
        return self._count - 1

    def set_score(self, number: int, score: float, kept: int, place: tuple[int, int, int]) -> None:
        row = self._rows[number]
        row["score"], row["kept"] = score, kept
        row["score_file"], row["score_offset"], row["score_size"] = place

    def table(self) -> Any:
        """All rows that there are now."""
        return self._rows[: self._count]


def yes_no(value: Any) -> int:
    """1, 0, or -1 for what is not known."""
    return -1 if value is None else int(bool(value))


def told(code: int) -> bool | None:
    """The other way round."""
    return None if code < 0 else bool(code)
