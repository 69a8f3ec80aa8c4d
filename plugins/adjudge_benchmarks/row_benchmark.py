"""What every benchmark of rows shares: problems made row by row, as official files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

from adjudge import ConfigError, Problem, coin

from .benchmark import Benchmark
from .loading import loaded
from .row_sources import sources


class RowBenchmark(Benchmark):
    """A benchmark whose problems are made from rows, each row by itself."""

    data: str
    """A file (JSON Lines, or JSON with one list), a folder of such files, or ``hub:ID@SPLIT`` for a data set that `datasets` loads."""
    files: ClassVar[tuple[str, ...]] = ("**/*.jsonl", "**/*.json")
    """In a folder, the files that hold rows, as patterns."""
    reads_texts: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    """What the metric needs besides the base install; told before anything is judged."""

    def load(self) -> Sequence[Problem]:
        """The problems in the order of the rows, each under an id of its own; raises `DataError` for missing, broken or empty data."""
        return loaded(self).problems

    def everything(self) -> Iterator[Problem]:
        for library in self.libraries:
            if find_spec(library) is None:
                raise ConfigError(f"{self.use}: its metric needs the library {library}.\n  Remedy: pip install 'adjudge[bench]'")
        return self._problems()

    def places(self) -> list[str]:
        """The files or splits that the data consist of."""
        return [where for where, _ in sources(self.data, self.files)]

    def _problems(self) -> Iterator[Problem]:
        for where, rows in sources(self.data, self.files):
            for made in rows(partial(self._problems_of, where=where)):
                yield from made

    def _problems_of(self, row: dict[str, Any], where: str) -> list[Problem]:
        return list(self._read(row, where))

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        """A row's problems; `where` is the file or split that it stands in. Raises `RowError`."""
        raise NotImplementedError


def pair(ident: str, prompt: str, chosen: str, rejected: str, group: str, **meta: Any) -> Problem:
    """Two answers in an order that a coin decides, which knows the texts and not which of them is chosen."""
    shown = sorted((chosen, rejected), reverse=coin("presented order", ident, *sorted((chosen, rejected))))
    return Problem(ident, prompt, tuple(shown), shown.index(chosen), {"group": group, **meta})
