"""The paths of many prompts as one list for an engine to answer, and its answers as prompts again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

Prompted: TypeAlias = tuple[Any, Sequence[Sequence[int]]]
"""A prompt, and the token ids of paths behind it."""


def answered(
    prompts: Sequence[Prompted],
    statistics: Sequence[str],
    ask: Callable[[list[tuple[int, list[int]]]], Iterable[tuple[int, dict[str, list[float]]]]],
) -> Iterator[tuple[int, list[Any]]]:
    """What `Session.logprobs` says of each prompt, with its place, once all of its paths are answered; those without tokens are at once.

    `ask` is given a path and the place of its prompt, many times over, and tells numbers by name and the place in that list.
    """
    names = ("logprob", *statistics)
    paths = [(place, index) for place, (_, some) in enumerate(prompts) for index, path in enumerate(some) if path]
    found: list[list[Any]] = [[{name: [] for name in names} if statistics else [] for _ in some] for _, some in prompts]
    left = Counter(place for place, _ in paths)
    yield from ((place, rows) for place, rows in enumerate(found) if not left[place])
    for number, values in ask([(place, list(prompts[place][1][index])) for place, index in paths]):
        place, index = paths[number]
        found[place][index] = {name: values[name] for name in names} if statistics else values["logprob"]
        left[place] -= 1
        if not left[place]:
            yield place, found[place]
