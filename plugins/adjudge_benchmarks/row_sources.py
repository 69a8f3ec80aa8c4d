"""Where the rows of a benchmark or a data set are: a file, a folder of files, or a data set of the `datasets` library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError
from adjudge_data import hub_splits

from .objects import read_objects

HUB = "hub:"
Parse = Callable[[dict[str, Any]], Any]
Rows = Callable[[Parse], Iterator[Any]]
"""Takes what makes something of a row, and yields what it made of every row."""


def sources(data: str, patterns: Iterable[str]) -> Iterator[tuple[str, Rows]]:
    """Every file or split that the data consist of: its name, and its rows."""
    if data.startswith(HUB):
        for split, of_split in hub_splits(data).items():
            yield f"{data.removeprefix(HUB).partition('@')[0]}@{split}", partial(_of_files, of_split)
        return
    path = FilePath(data)
    files = sorted({file for pattern in patterns for file in path.glob(pattern)}) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{data}: no such files ({', '.join(patterns)}).\n  Remedy: check the folder, or name a file.")
    for file in files:
        yield file.as_posix(), partial(_of_files, [file])


def _of_files(files: Iterable[FilePath], parse: Parse) -> Iterator[Any]:
    for file in files:
        yield from read_objects(file, parse=parse)
