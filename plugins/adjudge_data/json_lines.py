"""Reads JSON Lines files that people made; a broken line names its file and number, or is counted where that is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError, Problem, stable_id


def open_lines(file: FilePath) -> Iterator[str]:
    """The lines of a file, or of standard input for ``-``."""
    try:
        if str(file) == "-":
            yield from iter(sys.stdin.readline, "")  # not from the file itself, which is closed where a reader has enough
            return
        with file.open(encoding="utf-8-sig") as lines:
            yield from lines
    except FileNotFoundError:
        raise DataError(f"{file}: no such file.\n  Remedy: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 text: {error}.\n  Remedy: give a JSON Lines file in UTF-8.") from None


class RowError(Exception):
    """A row that can be read and cannot be used; becomes a `DataError` with its file and line."""


def read_rows(file: FilePath, *, skip_bad_lines: bool = False, parse: Any = dict) -> Iterator[Any]:
    """``parse(row)`` of every line; blank lines are passed over, bad ones raise `DataError` or are skipped and counted."""
    skipped, first_reason = 0, ""
    try:
        for number, line in enumerate(open_lines(file), 1):
            if not line.strip():
                continue
            try:
                parsed = parse(object_in(line))
            except RowError as error:
                if not skip_bad_lines:
                    raise DataError(
                        f"{file}: line {number} {error}.\n  Remedy: mend the line, pass --skip-bad-lines to leave such lines out,"
                        " or name the format that the file has."
                    ) from None
                skipped, first_reason = skipped + 1, first_reason or f"line {number} {error}"
                continue
            yield parsed
    finally:  # also when the reader has enough before the end
        if skipped:
            print(f"{file}: {skipped} bad line{'s' * (skipped > 1)} skipped; the first: {first_reason}", file=sys.stderr)


def object_in(line: str) -> dict[str, Any]:
    """The object that a line holds, with nothing in it that could not be written again."""
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # not JSON, half a surrogate pair, an integer of thousands of digits
        raise RowError(f"is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise RowError(f"is a {type(row).__name__}, not an object")
    return row


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


def problem_in(row: dict[str, Any], *, pairs: bool) -> Problem:
    """The problem that a row has: a prompt with `answers`, or `chosen` and `rejected` in this order; `RowError` where it has none.

    `pairs` asks for exactly two answers, that differ.
    """
    prompt = text_field(row, "prompt")
    answers = row.get("answers")
    if answers is None and "chosen" in row:
        answers = [text_field(row, "chosen"), text_field(row, "rejected")]
    if not isinstance(answers, list | tuple) or not all(isinstance(answer, str) for answer in answers):
        raise RowError("has no field 'answers' that is a list of texts (nor the texts 'chosen' and 'rejected')")
    if len(answers) < 2 or (pairs and len(answers) > 2):
        raise RowError(f"has {len(answers)} answers; {'a judgement takes two' if pairs else 'a ranking takes two or more'}")
    if pairs and answers[0] == answers[1]:
        raise RowError("has two identical answers, and no judge can be right about those")
    ident = stable_id(prompt, *answers) if row.get("id") is None else str(row["id"])
    return Problem(ident, prompt, tuple(answers))
