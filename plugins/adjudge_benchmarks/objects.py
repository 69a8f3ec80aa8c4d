"""Reads objects from JSON Lines files, and from JSON files that hold one list, as authors of benchmarks publish both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError, RowError, object_in, open_lines


def read_objects(file: FilePath, *, parse: Any = dict) -> Iterator[Any]:
    """``parse(row)`` of every object in a JSON Lines file, or in a JSON file that holds one list of them; a bad one raises `DataError`.

    ``-`` is standard input. The file is read once.
    """
    lines = ((number, line) for number, line in enumerate(open_lines(file), 1) if line.strip())
    first = next(lines, (1, ""))
    listed, whole = first[1].lstrip().startswith("["), chain([first] if first[1] else [], lines)
    for number, row in _in_list(file, whole) if listed else whole:
        try:
            yield parse(row if isinstance(row, dict) else object_in(row))
        except RowError as error:
            word = "row" if listed else "line"
            raise DataError(f"{file}: {word} {number} {error}.\n  Remedy: mend the {word}, or check that this is the right file.") from None


def _in_list(file: FilePath, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    try:
        rows = json.loads("".join(line for _, line in lines))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: begins with '[' and is not JSON: {error}.\n  Remedy: give a list of objects, or JSON Lines.") from None
    return ((number, row if isinstance(row, dict) else json.dumps(row)) for number, row in enumerate(rows, 1))
