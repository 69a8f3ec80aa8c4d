"""Problems by their ids, and some of a sequence's items, of which the places alone are held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from adjudge import Problem

Item = TypeVar("Item")


class ById(Mapping[str, Problem]):
    """Problems by their ids, in their order; each is read from its sequence when it is asked for."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = problems
        self._places = {problem.id: place for place, problem in enumerate(problems)}

    def __getitem__(self, ident: str) -> Problem:
        return self._problems[self._places[ident]]

    def __contains__(self, ident: object) -> bool:
        return ident in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Chosen(Sequence[Item]):
    """Some of a sequence's items, by their places in it; slices are such sequences too."""

    def __init__(self, items: Sequence[Item], places: Sequence[int]) -> None:
        self.items, self.places = items, places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Chosen[Item]: ...

    def __getitem__(self, index: Any) -> Any:
        return self.items[self.places[index]] if isinstance(index, int) else Chosen(self.items, self.places[index])
