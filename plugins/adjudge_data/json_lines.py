"""Reads rows that people made, from files of any format; a broken row names its file and line, or is counted where that is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError, Problem, stable_id

from .places import placed_rows
from .row_errors import IdenticalAnswersError, RowError
from .shapes import Columns, compared

MEND = "mend the {0}, pass --skip-bad-lines to leave such {0}s out, or name the format that the file has"
MEND_ALONE = "mend the {0}, or name the format that the file has"


def read_rows(file: FilePath | str, *, skip_bad_lines: bool | None = False, parse: Any = dict) -> Iterator[Any]:
    """``parse(row)`` of every row of a file, folder or data set of the Hub, read as far as rows are taken.

    Bad rows raise `DataError`, or are skipped and counted; None where the caller has no option to skip them. Pairs of identical answers
    are left out, and counted, always.
    """
    skipped, identical = _Counted("bad line", "skipped"), _Counted("pair", "left out")
    try:
        for where, (place, given) in placed_rows(file):
            try:
                parsed = parse(_row(given))
            except IdenticalAnswersError as error:
                identical.add(f"{place} {error}")
                if not error.rest:
                    continue
                parsed = error.rest
            except RowError as error:
                if not skip_bad_lines:
                    mend = MEND_ALONE if skip_bad_lines is None else MEND
                    raise DataError(f"{where}: {place} {error}.\n  Remedy: {mend.format(place.split()[0])}.") from None
                skipped.add(f"{place} {error}")
                continue
            yield parsed
    finally:  # also when the reader has enough before the end
        for counted in (skipped, identical):
            counted.tell(str(file))


class _Counted:
    """Rows that are passed over, with the first of them."""

    def __init__(self, noun: str, verb: str) -> None:
        self.noun, self.verb, self.count, self.first = noun, verb, 0, ""

    def add(self, what: str) -> None:
        self.count, self.first = self.count + 1, self.first or what

    def tell(self, where: str) -> None:
        if self.count:
            print(f"{where}: {self.count} {self.noun}{'s' * (self.count > 1)} {self.verb}; the first: {self.first}", file=sys.stderr)


def _row(given: str | dict[str, Any] | RowError) -> dict[str, Any]:
    if isinstance(given, RowError):
        raise given
    return object_in(given) if isinstance(given, str) else given


def object_in(line: str) -> dict[str, Any]:
    """The object that a line holds, with nothing in it that could not be written again."""
    try:
        row = json.loads(line, object_pairs_hook=_each_once)
        if "\\ud" in line or "\\uD" in line:  # else there is no half of a surrogate pair in it
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RowError(f"holds half of a character, {error.object[error.start]!r}, which no text can hold") from None
    except (ValueError, RecursionError) as error:  # not JSON, or an integer of thousands of digits
        raise RowError(f"is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise RowError(f"is a {type(row).__name__}, not an object")
    return row


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise RowError(f"has the field {next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def text_field(row: dict[str, Any], name: str) -> str:
    """A field that has to be a text."""
    if name not in row:
        raise RowError(f"has no field {name!r} (it has: {', '.join(map(str, row)) or 'none'})")
    if not isinstance(row[name], str):
        raise RowError(f"has a field {name!r} that is a {type(row[name]).__name__}, not a text")
    return str(row[name])


def not_empty(items: Iterable[Any], where: str) -> list[Any]:
    """All items as a list, or a `DataError` when there is none."""
    found = list(items)
    if not found:
        raise DataError(f"{where}: the data set is empty.\n  Remedy: check the file and the options that choose rows.")
    return found


def problem_in(row: Mapping[str, Any], *, pairs: bool, fewest: int = 2, columns: Columns | None = None) -> Problem:
    """The problem that a row has, in any shape of `docs/data.md`; `chosen` stands before `rejected`. `RowError` where it has none.

    `pairs` asks for exactly two answers, that differ; else there are to be `fewest` at least. A label says which of them is right, and
    anything else by that name is a `RowError`. `columns` are the row's own names for those known here.
    """
    found = compared(row, columns)
    answers = found.answers
    if len(answers) < fewest or (pairs and len(answers) > 2):
        wanted = "a judgement takes two" if pairs else "a rating takes one or more" if fewest == 1 else "a ranking takes two or more"
        raise RowError(f"has {len(answers)} answers; {wanted}")
    if pairs and answers[0] == answers[1]:
        raise IdenticalAnswersError()
    ident = stable_id(found.prompt, *answers) if row.get("id") is None else str(row["id"])
    return Problem(ident, found.prompt, answers, found.better[0] if len(found.better) == 1 else None)
