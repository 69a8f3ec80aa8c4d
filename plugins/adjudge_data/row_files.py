"""What every data set of a local JSON Lines file shares: the file, broken lines, the split by prompt, the limit, and ids.

An example row: see the data set's own file; any row may have ``{"id": "q17", "meta": {"level": 2}}`` besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Dataset, Problem, RowError, not_empty, read_rows, stable_id

from .ids import free_id, held_out


class RowSet(Dataset):
    """A data set with one problem per row, wherever the rows are."""

    limit: Annotated[int, Field(gt=0)] | None = None
    """Take this many problems at most, the first of the part; None = all."""
    part: Literal["all", "train", "test"] = "all"
    """Which side of the split to load."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Expected share of prompts in the test part; which those are is decided by each prompt's hash, so no prompt is on both sides."""

    def load(self) -> list[Problem]:
        """The problems, in the order of the rows; raises `DataError` for missing, broken or empty data."""
        ids: set[str] = set()
        where = self._where() if self.part == "all" else f"{self._where()}, part {self.part}"
        return not_empty(islice(self._of_part(self._problems(ids)), self.limit), where)

    def _of_part(self, problems: Iterator[Problem]) -> Iterator[Problem]:
        return (problem for problem in problems if self.part == "all" or held_out(problem.prompt, self.test_share) == (self.part == "test"))

    def _where(self) -> str:
        """How messages call the data."""
        raise NotImplementedError

    def _problems(self, taken: set[str]) -> Iterator[Problem]:
        """The problems of all rows; `taken` are the ids so far."""
        raise NotImplementedError


class RowFile(RowSet):
    """A data set with one problem per line of a local file."""

    file: FilePath
    """A JSON Lines file: one object per line, in UTF-8; ``-`` is standard input."""
    skip_bad_lines: bool = False
    """Whether lines that cannot be used are left out and counted, instead of ending the job."""

    def _where(self) -> str:
        return str(self.file)

    def _problems(self, taken: set[str]) -> Iterator[Problem]:
        return read_rows(self.file, skip_bad_lines=self.skip_bad_lines, parse=lambda row: identified(self._read(row), row, taken))

    def _read(self, row: dict[str, Any]) -> Problem:
        """A row's problem, its id still empty; raises `RowError`."""
        raise NotImplementedError


def identified(problem: Problem, row: dict[str, Any], taken: set[str]) -> Problem:
    """The problem under the row's own id, or under one made from its texts; a row that stands there twice gets a number."""
    ident = _own_id(row)
    if ident in taken:
        raise RowError(f"has the id {ident!r}, which an earlier line has too")
    if ident is None:
        ident = free_id(stable_id(problem.prompt, *problem.answers), taken)
    taken.add(ident)
    return Problem(ident, problem.prompt, problem.answers, problem.label, _meta(row))


def _own_id(row: dict[str, Any]) -> str | None:
    ident = row.get("id")
    if ident is None:
        return None
    if isinstance(ident, bool) or not isinstance(ident, str | int) or ident == "":
        raise RowError(f"has the id {ident!r}, which is neither a text nor a whole number")
    return str(ident)


def _meta(row: dict[str, Any]) -> dict[str, Any]:
    meta = {} if row.get("meta") is None else row["meta"]
    if not isinstance(meta, dict):
        raise RowError(f"has a field 'meta' that is a {type(meta).__name__}, not an object")
    return meta


def differ(answers: tuple[str, ...]) -> tuple[str, ...]:
    """The answers, or a `RowError` where two of them are the same text: no judge can be right about those."""
    for index, answer in enumerate(answers):
        if answer in answers[:index]:
            raise RowError(f"has two identical answers (number {answers.index(answer) + 1} and number {index + 1})")
    return answers
