"""What every benchmark of rows shares: where the rows are, in local files or a data set of the `datasets` library, and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import Any, ClassVar

from adjudge import ConfigError, DataError, Problem, RowError, not_empty, stable_seed
from adjudge.benchmark import Benchmark
from adjudge.jsonl import read_objects

HUB = "hub:"


class RowBenchmark(Benchmark):
    """A benchmark whose problems are made from rows, each row by itself."""

    data: str
    """A file (JSON Lines, or JSON with one list), a folder of such files, or ``hub:ID@SPLIT`` for a data set that `datasets` loads."""
    files: ClassVar[tuple[str, ...]] = ("**/*.jsonl", "**/*.json")
    """In a folder, the files that hold rows, as patterns."""

    def load(self) -> list[Problem]:
        """The problems in the order of the rows; raises `DataError` for missing, broken or empty data and for two rows with one id."""
        seen: set[str] = set()
        return not_empty((_once(problem, seen, self.data) for problem in self._problems()), self.data)

    def _problems(self) -> Iterator[Problem]:
        for where, rows in sources(self.data, self.files):
            for made in rows(partial(self._problems_of, where=where)):
                yield from made

    def _problems_of(self, row: dict[str, Any], where: str) -> list[Problem]:
        return list(self._read(row, where))

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        """A row's problems; `where` is the file or split that it stands in. Raises `RowError`."""
        raise NotImplementedError


def _once(problem: Problem, seen: set[str], where: str) -> Problem:
    if problem.id in seen:
        raise DataError(
            f"{where}: two rows are the problem {problem.id!r}.\n  Remedy: give each row once; a folder may hold copies of a file."
        )
    seen.add(problem.id)
    return problem


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


def pair(ident: str, prompt: str, chosen: str, rejected: str, group: str, **meta: Any) -> Problem:
    """Two answers in an order that a coin decides, which knows the texts and not which of them is chosen."""
    shown = sorted((chosen, rejected), reverse=stable_seed("presented order", ident, *sorted((chosen, rejected))) % 2 == 1)
    return Problem(ident, prompt, tuple(shown), shown.index(chosen), {"group": group, **meta})


def texts(row: dict[str, Any], name: str, least: int = 1) -> list[str]:
    """A field that has to be a list of texts."""
    value = row.get(name)
    if not isinstance(value, list) or len(value) < least or not all(isinstance(text, str) for text in value):
        raise RowError(f"has no field {name!r} that is a list of {least} texts or more")
    return value


def field(row: dict[str, Any], name: str, *allowed: Any) -> Any:
    """A field that has to be there, with one of these values where some are given."""
    if name not in row:
        raise RowError(f"has no field {name!r} (it has: {', '.join(map(str, row)) or 'none'})")
    if allowed and row[name] not in allowed:
        raise RowError(f"has the {name} {row[name]!r}, which is none of {', '.join(map(repr, allowed))}")
    return row[name]


def conversation(turns: Any) -> str:
    """Messages as one prompt: a single one is its content, a longer conversation names who speaks."""
    if (
        not isinstance(turns, list)
        or not turns
        or not all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in turns)
    ):
        raise RowError("has a conversation that is no list of messages with texts as 'content'")
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{str(turn.get('role', 'user')).capitalize()}: {turn['content']}" for turn in turns)
