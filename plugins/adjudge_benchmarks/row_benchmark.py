"""What every benchmark of rows shares: problems made row by row, ids that stand once, and fields that have to be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

from adjudge import ConfigError, DataError, Problem, RowError, coin, not_empty
from adjudge_data import conversation_text

from .benchmark import Benchmark
from .row_sources import sources


class RowBenchmark(Benchmark):
    """A benchmark whose problems are made from rows, each row by itself."""

    data: str
    """A file (JSON Lines, or JSON with one list), a folder of such files, or ``hub:ID@SPLIT`` for a data set that `datasets` loads."""
    files: ClassVar[tuple[str, ...]] = ("**/*.jsonl", "**/*.json")
    """In a folder, the files that hold rows, as patterns."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """What the metric needs besides the base install; told before anything is judged."""

    def load(self) -> list[Problem]:
        """The problems in the order of the rows; raises `DataError` for missing, broken or empty data and for two rows with one id."""
        for library in self.libraries:
            if find_spec(library) is None:
                raise ConfigError(f"{self.use}: its metric needs the library {library}.\n  Remedy: pip install 'adjudge[bench]'")
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


def pair(ident: str, prompt: str, chosen: str, rejected: str, group: str, **meta: Any) -> Problem:
    """Two answers in an order that a coin decides, which knows the texts and not which of them is chosen."""
    shown = sorted((chosen, rejected), reverse=coin("presented order", ident, *sorted((chosen, rejected))))
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
    return conversation_text([{"role": "user", **turn} for turn in turns])
