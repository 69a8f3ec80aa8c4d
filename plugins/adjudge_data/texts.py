"""Rows of text files, one at a time: JSON Lines, JSON files of one list, and CSV, whose cells all are texts."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from adjudge import DataError

from .byte_streams import kind_of, opened
from .row_errors import RowError

PIECE = 1 << 20
"""Bytes that are read at once of a list that may stand on one line."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}
WHITE = " \t\r\n"
Placed: TypeAlias = tuple[str, str | dict[str, Any] | RowError]
"""Where a row stands in its file, such as ``line 3``, and the row: still as text where it is JSON, or what is wrong with it."""


def open_lines(file: FilePath) -> Iterator[str]:
    """The lines of a file, unpacked where it is packed, or of standard input for ``-``; a byte order mark is no part of them."""
    with opened(file) as stream:
        yield from _decoded(iter(stream.readline, b""))  # not from the stream itself: standard input stays open


def rows_of_text(file: FilePath) -> Iterator[Placed]:
    """Every row of a text file; no more of the file is read than the rows that are taken need."""
    with opened(file) as stream:
        if kind_of(file) in DELIMITERS:
            yield from _of_table(file, _decoded(iter(stream.readline, b"")))
            return
        pieces = iter(lambda: stream.readline(PIECE), b"")
        blank, first = 0, b""
        for first in pieces:
            if first.strip(b" \t\r\n\xef\xbb\xbf"):
                break
            blank += 1
        if first.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"["):
            yield from _of_list(file, chain([first], pieces))
        else:
            whole = first if first.endswith(b"\n") else first + stream.readline()
            yield from _of_lines(_decoded(chain([whole], iter(stream.readline, b""))), blank)


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield (line if number else line.removeprefix(codecs.BOM_UTF8)).decode("utf-8")


def _of_lines(lines: Iterable[str], blank: int) -> Iterator[Placed]:
    yield from ((f"line {number}", line) for number, line in enumerate(lines, blank + 1) if line.strip())


def _of_list(file: FilePath, pieces: Iterable[bytes]) -> Iterator[Placed]:
    """The members of one JSON list, each still as text, so that each is checked like a line."""
    decode, scan = codecs.getincrementaldecoder("utf-8-sig")(), json.JSONDecoder().raw_decode
    more = (decode.decode(piece) for piece in pieces)
    text, number = _filled(next(more).lstrip(WHITE)[1:], more), 0
    while number or not text.startswith("]"):
        text, end = _member(file, text, more, scan)
        number += 1
        yield f"row {number}", text[:end]
        text = _filled(text[end:], more)
        if text.startswith("]"):
            break
        text = _filled(text[1:], more)
    if _filled(text[1:], more):
        raise DataError(f"{file}: goes on after its list has ended.\n  Remedy: give one list of objects, or JSON Lines.")


def _filled(text: str, more: Iterator[str]) -> str:
    """The text from its first mark on, which is read if it has none; empty at the end of the file."""
    while not (text := text.lstrip(WHITE)) and (piece := next(more, None)) is not None:
        text = piece
    return text


def _member(file: FilePath, text: str, more: Iterator[str], scan: Callable[[str], tuple[Any, int]]) -> tuple[str, int]:
    """A text with a whole member at its beginning, and where that ends; what is missing is read on, twice as much each time."""
    while True:
        reason = "its list does not end"
        try:
            end = scan(text)[1]
            if (after := text[end:].lstrip(WHITE)) and after[0] in ",]":
                return text, end
            reason = f"{after[:1]!r} after a member" if after else reason
        except (ValueError, RecursionError) as error:
            reason = str(error)
        parts, size = [text], 0
        while size <= len(text) and (piece := next(more, None)) is not None:
            parts, size = [*parts, piece], size + len(piece)
        if not size:
            raise DataError(f"{file}: begins with '[' and is not JSON: {reason}.\n  Remedy: give a list of objects, or JSON Lines.")
        text = "".join(parts)


def _of_table(file: FilePath, lines: Iterable[str]) -> Iterator[Placed]:
    """Rows under the names of the first one; every cell is a text, an empty one too."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        cells = csv.reader(lines, delimiter=DELIMITERS[kind_of(file)], strict=True)
        names = next(cells, [])
        if len(set(names)) < len(names):
            raise DataError(f"{file}: two of its columns have one name.\n  Remedy: rename one.")
        yield from ((f"row {number}", _named(names, row)) for number, row in enumerate(cells, 1) if row)
    except csv.Error as error:
        raise DataError(f"{file}: cannot be read as a table: {error}.\n  Remedy: check its quotes and its ending.") from None
    finally:
        csv.field_size_limit(limit)


def _named(names: list[str], row: list[str]) -> dict[str, str] | RowError:
    if len(row) != len(names):
        return RowError(f"has {len(row)} cells, and its table {len(names)} columns")
    return dict(zip(names, row, strict=True))
