"""What comparisons of several answers to one prompt say together: circles of three, and whether they hang together at all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from itertools import combinations
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def cyclic_triples(beats: Mapping[tuple[Node, Node], float]) -> tuple[int, int]:
    """Of the triples whose three pairs are all decided, how many go round in a circle, and how many there are.

    `beats` has a worth of the first over the second for a pair, in one of its orders: above 0.5 the first is preferred, at 0.5 neither. A
    judge that draws lots has a quarter of them in circles, one with a consistent ranking none (Kendall and Babington Smith 1940).
    """
    wins = {(one, other) if worth > 0.5 else (other, one) for (one, other), worth in beats.items() if worth != 0.5}
    nodes = list(dict.fromkeys(node for pair in wins for node in pair))
    place = {node: index for index, node in enumerate(nodes)}
    above = {(place[one], place[other]) for one, other in wins}
    circles = complete = 0
    for i, j, k in combinations(range(len(nodes)), 3):
        first = [sum((x, y) in above for y in (i, j, k)) for x in (i, j, k)]
        if sum(first) == 3:
            complete += 1
            circles += first == [1, 1, 1]
    return circles, complete


def components(pairs: Iterable[tuple[Node, Node]]) -> list[set[Node]]:
    """The groups of nodes that comparisons connect; what stands in different ones was never compared, not even by a detour."""
    found: list[set[Node]] = []
    for pair in pairs:
        touched = [group for group in found if group & {*pair}]
        found = [group for group in found if group not in touched]
        found.append(set(pair).union(*touched))
    return found
