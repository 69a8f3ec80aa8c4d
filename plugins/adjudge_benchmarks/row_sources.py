"""Where the rows of a benchmark or a data set are: a file, a folder of files, or a data set of the `datasets` library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, DataError, RowError

from .objects import read_objects

HUB = "hub:"
Parse = Callable[[dict[str, Any]], Any]
Rows = Callable[[Parse], Iterator[Any]]
"""Takes what makes something of a row, and yields what it made of every row."""


def sources(data: str, patterns: Iterable[str]) -> Iterator[tuple[str, Rows]]:
    """Every file or split that the data consist of: its name, and its rows."""
    if data.startswith(HUB):
        yield from _splits(data.removeprefix(HUB))
        return
    path = FilePath(data)
    files = sorted({file for pattern in patterns for file in path.glob(pattern)}) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{data}: no such files ({', '.join(patterns)}).\n  Remedy: check the folder, or name a file.")
    for file in files:
        yield file.as_posix(), partial(_of_file, file)


def _of_file(file: FilePath, parse: Parse) -> Iterator[Any]:
    return _of_parquet(file, parse) if file.suffix == ".parquet" else read_objects(file, parse=parse)


def _of_parquet(file: FilePath, parse: Parse) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise ConfigError(f"data: {file} needs the library pyarrow.\n  Remedy: pip install pyarrow, or give JSON Lines.") from None
    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=1000)
        yield from _numbered((row for batch in batches for row in batch.to_pylist()), str(file), parse)
    except (OSError, ArrowException) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {error}.\n  Remedy: check the path, or copy the file again.") from None


def _splits(name: str) -> Iterator[tuple[str, Rows]]:
    try:
        import datasets
    except ImportError:
        raise ConfigError("data: 'hub:' needs the library datasets.\n  Remedy: pip install datasets, or give local files.") from None
    ident, _, split = name.partition("@")
    try:
        loaded = datasets.load_dataset(ident, split=split or None)
    except Exception as error:  # the library raises whatever its transport raises
        raise ConfigError(f"data: {HUB}{name} cannot be loaded: {error}\n  Remedy: check id and split, or give local files.") from None
    parts = loaded if isinstance(loaded, dict) else {split: loaded}
    for part, rows in parts.items():
        yield f"{ident}@{part}", partial(_numbered, rows, f"{ident}@{part}")


def _numbered(rows: Iterable[dict[str, Any]], where: str, parse: Parse) -> Iterator[Any]:
    for number, row in enumerate(rows, 1):
        try:
            yield parse(row)
        except RowError as error:
            raise DataError(f"{where}: row {number} {error}.\n  Remedy: check that this is the benchmark's own data set.") from None
