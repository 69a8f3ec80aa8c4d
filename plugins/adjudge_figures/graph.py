"""What comparisons of several answers to one prompt say together: circles of three, and whether they hang together at all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def cyclic_triples(beats: Mapping[tuple[Node, Node], float]) -> tuple[int, int]:
    """Of the triples whose three pairs are all decided, how many go round in a circle, and how many there are.

    `beats` has a worth of the first over the second for a pair, in one of its orders: above 0.5 the first is preferred, at 0.5 neither. A
    judge that draws lots has a quarter of them in circles, one with a consistent ranking none (Kendall and Babington Smith 1940).
    """
    import numpy as np

    wins = {(one, other) if worth > 0.5 else (other, one) for (one, other), worth in beats.items() if worth != 0.5}
    place = {node: index for index, node in enumerate(dict.fromkeys(node for pair in wins for node in pair))}
    above_NN = np.zeros((len(place), len(place)))
    for one, other in wins:
        above_NN[place[one], place[other]] = 1
    met_NN = np.maximum(above_NN, above_NN.T)
    # A circle is a closed walk of three wins, counted once from each of its three nodes; a complete triple also in both directions.
    circles, complete = (float(np.sum((one @ one) * one.T)) for one in (above_NN, met_NN))
    return round(circles / 3), round(complete / 6)


def circular_triples(beats: Mapping[tuple[Node, Node], float]) -> Iterator[tuple[Node, Node, Node]]:
    """The triples that `cyclic_triples` counts, as they are found: each is preferred to the next, and the third to the first."""
    below: dict[Node, dict[Node, None]] = {}
    for (one, other), worth in beats.items():
        if worth != 0.5:
            above, under = (one, other) if worth > 0.5 else (other, one)
            below.setdefault(above, {})[under] = None
    place = {node: index for index, node in enumerate(below)}
    for first, beaten in below.items():
        for second in beaten:
            for third in below.get(second, ()):
                if first in below.get(third, ()) and place[first] < min(place[second], place[third]):
                    yield first, second, third


def components(pairs: Iterable[tuple[Node, Node]]) -> list[set[Node]]:
    """The groups of nodes that comparisons connect; what stands in different ones was never compared, not even by a detour."""
    found: list[set[Node]] = []
    for pair in pairs:
        touched = [group for group in found if group & {*pair}]
        found = [group for group in found if group not in touched]
        found.append(set(pair).union(*touched))
    return found
