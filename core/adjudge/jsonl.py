"""Reads JSON Lines files that people made; a broken line names its file and number, or is counted where that is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from .errors import DataError


def open_lines(file: FilePath) -> Iterator[str]:
    """The lines of a file, or of standard input for ``-``."""
    try:
        if str(file) == "-":
            yield from sys.stdin
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
                parsed = parse(_object(line))
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


def read_objects(file: FilePath, *, parse: Any = dict) -> Iterator[Any]:
    """``parse(row)`` of every object in a JSON Lines file, or in a JSON file that holds one list of them; a bad one raises `DataError`."""
    listed = next((line for line in open_lines(file) if line.strip()), "").lstrip().startswith("[")
    for number, row in _numbered_list(file) if listed else _numbered_lines(file):
        try:
            yield parse(row if isinstance(row, dict) else _object(row))
        except RowError as error:
            word = "row" if listed else "line"
            raise DataError(f"{file}: {word} {number} {error}.\n  Remedy: mend the {word}, or check that this is the right file.") from None


def _numbered_lines(file: FilePath) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(open_lines(file), 1) if line.strip())


def _numbered_list(file: FilePath) -> Iterator[tuple[int, Any]]:
    try:
        rows = json.loads("".join(open_lines(file)))
    except ValueError as error:
        raise DataError(f"{file}: begins with '[' and is not JSON: {error}.\n  Remedy: give a list of objects, or JSON Lines.") from None
    return ((number, row if isinstance(row, dict) else json.dumps(row)) for number, row in enumerate(rows, 1))


def _object(line: str) -> dict[str, Any]:
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
