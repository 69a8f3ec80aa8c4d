"""What every data set of rows shares: where they are, their columns, broken lines, the split by prompt, the limit, and ids.

An example row: see the data set's own file; any row may have ``{"id": "q17", "meta": {"level": 2}}`` besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Dataset, Problem, stable_id

from .ids import free_id, held_out
from .json_lines import read_rows
from .row_errors import IdenticalAnswersError, RowError
from .shapes import named
from .spool import spooled


class RowSet(Dataset):
    """A data set with one problem per row, wherever the rows are."""

    limit: Annotated[int, Field(gt=0)] | None = None
    """Take this many problems at most, the first of the part; None = all."""
    part: Literal["all", "train", "test"] = "all"
    """Which side of the split to load."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Expected share of prompts in the test part; which those are is decided by each prompt's hash, so no prompt is on both sides."""

    def load(self) -> Sequence[Problem]:
        """The problems, in the order of the rows, in a temporary file; raises `DataError` for missing, broken or empty data."""
        where = self._where() if self.part == "all" else f"{self._where()}, part {self.part}"
        return spooled(islice(self._of_part(self._problems(set())), self.limit), where)

    def _of_part(self, problems: Iterator[Problem]) -> Iterator[Problem]:
        return (problem for problem in problems if self.part == "all" or held_out(problem.prompt, self.test_share) == (self.part == "test"))

    def _where(self) -> str:
        """How messages call the data."""
        raise NotImplementedError

    def _problems(self, taken: set[str]) -> Iterator[Problem]:
        """The problems of all rows; `taken` are the ids so far."""
        raise NotImplementedError


class RowFile(RowSet):
    """A data set of rows in local files, or of the Hub."""

    file: FilePath
    """A file of rows (JSON Lines, a JSON list, CSV, Parquet or Arrow; packed by gzip or Zstandard or not), a pattern, a folder, ``-`` for
    standard input, or ``hub:ID@SPLIT``."""
    columns: dict[str, str | list[str] | None] = {}
    """The data's own names for the columns known here, as ``{prompt: question, chosen: good}``; a list of names makes a list of their
    values, and null reads rows without such a column."""
    skip_bad_lines: bool = False
    """Whether lines that cannot be used are left out and counted, instead of ending the job."""

    def _where(self) -> str:
        return str(self.file)

    def _problems(self, taken: set[str]) -> Iterator[Problem]:
        for problems in read_rows(self.file, skip_bad_lines=self.skip_bad_lines, parse=lambda row: self._of_row(row, taken)):
            yield from problems

    def _of_row(self, row: dict[str, Any], taken: set[str]) -> list[Problem]:
        try:
            return self._identified(self._read(row), row, taken)
        except IdenticalAnswersError as error:
            error.rest = self._identified(error.rest, row, taken)
            raise

    def _identified(self, made: Sequence[Problem], row: dict[str, Any], taken: set[str]) -> list[Problem]:
        row = named(row, self.columns)
        return [identified(problem, numbered(row, number if len(made) > 1 else None), taken) for number, problem in enumerate(made, 1)]

    def _read(self, row: dict[str, Any]) -> list[Problem]:
        """A row's problems, their ids still empty; raises `RowError`."""
        raise NotImplementedError


def numbered(row: dict[str, Any], number: int | None) -> dict[str, Any]:
    """The row with its own id, if it has one, numbered as that of one of its several problems."""
    return row if number is None or row.get("id") is None else {**row, "id": f"{row['id']}:{number}"}


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
    meta = row.get("meta")
    if meta is None or meta == {}:
        return {}
    if not isinstance(meta, dict):
        raise RowError(f"has a field 'meta' that is a {type(meta).__name__}, not an object")
    try:
        json.dumps(meta)
    except (TypeError, ValueError) as error:  # a date of Parquet's, for example
        raise RowError(f"has a field 'meta' that cannot be written as JSON: {error}") from None
    return meta


def differ(answers: tuple[str, ...]) -> tuple[str, ...]:
    """The answers, or `IdenticalAnswersError` where two of them are the same text."""
    for index, answer in enumerate(answers):
        if answer in answers[:index]:
            raise IdenticalAnswersError(answers.index(answer) + 1, index + 1)
    return answers
