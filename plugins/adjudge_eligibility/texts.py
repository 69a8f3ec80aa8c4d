"""Paths as most rules need them: text and verdict, without the numbers of their tokens, and problem by problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from adjudge import ReasoningPath


def texts_of(paths: Sequence[ReasoningPath]) -> Sequence[ReasoningPath]:
    """The paths, without the numbers of their tokens where these would have to be read."""
    from adjudge import RecordSequence  # which brings numpy, and listing plugins needs none

    return paths.without_tokens() if isinstance(paths, RecordSequence) else paths


def by_problem(paths: Sequence[ReasoningPath]) -> Iterator[tuple[str, list[ReasoningPath]]]:
    """A problem's id and its paths, which stand together in a pool; one problem at a time is in memory."""
    for problem_id, some in groupby(texts_of(paths), key=lambda path: path.problem_id):
        yield problem_id, list(some)
