"""Which files the rows of a data set are in: a file, a pattern, a folder, or a data set of the Hub as ``hub:ID@SPLIT``."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path as FilePath

from adjudge import DataError

from .byte_streams import kind_of
from .columnar import SUFFIXES, rows_of_columns, saved_files
from .hub import HUB, hub_files
from .texts import Placed, rows_of_text

KINDS = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", *SUFFIXES}
DESCRIBING = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
SPLIT = re.compile(r"(?:^|[^a-z])(train|test|valid|validation|dev|eval)(?=[^a-z]|$)")


def placed_rows(data: FilePath | str) -> Iterator[tuple[str, Placed]]:
    """Every row with the file that it is in, in order; files are opened one after the other."""
    for file in files_of(data):
        yield from ((str(file), row) for row in rows_of_file(file))


def rows_of_file(file: FilePath) -> Iterator[Placed]:
    kind = _kind(file)
    return rows_of_columns(file, kind) if kind in SUFFIXES else rows_of_text(file)


def files_of(data: FilePath | str) -> list[FilePath]:
    """The files of rows, in order; raises `DataError` where a folder holds several splits, or none."""
    name, path = str(data), FilePath(data)
    if name.startswith(HUB):
        return hub_files(path.as_posix())
    if path.is_dir():
        return saved_files(path) or _of_one_split(path, [file for file in sorted(path.rglob("*")) if _holds_rows(file, path)])
    if glob.has_magic(name) and not path.exists():
        return _of_one_split(path, [FilePath(found) for found in sorted(glob.glob(name, recursive=True))])
    return [path]


def _holds_rows(file: FilePath, folder: FilePath) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file() and kind_of(file) in KINDS and file.name not in DESCRIBING


def _of_one_split(where: FilePath, files: list[FilePath]) -> list[FilePath]:
    if not files:
        raise DataError(f"{where}: no files of rows there ({', '.join(sorted(KINDS))}).\n  Remedy: check the path.")
    named = sorted({found[1] for file in files if (found := SPLIT.search(file.name.lower()))})
    if len(named) > 1:
        raise DataError(
            f"{where}: holds files of several splits ({', '.join(named)}).\n  Remedy: name a file, or a pattern such as '*{named[-1]}*'."
        )
    return files


def _kind(file: FilePath) -> str:
    """A file's kind by its name; one that says nothing is looked at, since a text never begins like a file of columns."""
    kind = kind_of(file)
    if kind in KINDS or not file.is_file():
        return kind
    with file.open("rb") as stream:
        start = stream.read(6)
    return ".parquet" if start.startswith(b"PAR1") else ".arrow" if start == b"ARROW1" else kind
