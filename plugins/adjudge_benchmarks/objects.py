"""Reads objects from files of rows in any format, as authors of benchmarks publish them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError, RowError, object_in
from adjudge_data import rows_of_file


def read_objects(file: FilePath, *, parse: Any = dict) -> Iterator[Any]:
    """``parse(row)`` of every row of a file, JSON Lines, a JSON list or another format; a bad one raises `DataError`.

    ``-`` is standard input. The file is read once.
    """
    for place, given in rows_of_file(file):
        try:
            if isinstance(given, RowError):
                raise given
            yield parse(object_in(given) if isinstance(given, str) else given)
        except RowError as error:
            word = place.split()[0]
            raise DataError(f"{file}: {place} {error}.\n  Remedy: mend the {word}, or check that this is the right file.") from None
