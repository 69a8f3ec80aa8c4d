"""Ids of rows, each of them once, and the split of rows by prompt that depends on the prompt alone."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count

from adjudge import stable_id


def free_id(ident: str, taken: Container[str]) -> str:
    """The id; where it is taken, the first of ``-2``, ``-3`` … behind it that is not."""
    return ident if ident not in taken else next(found for number in count(2) if (found := f"{ident}-{number}") not in taken)


def unique_ids(ids: Iterable[str]) -> list[str]:
    """The ids in order, each of them once: the first of equals keeps its id, a later one gets ``-2``, ``-3`` … that no other id has."""
    given = list(ids)
    taken, seen, found = set(given), set[str](), []
    for ident in given:
        found.append(free_id(ident, taken) if ident in seen else ident)
        seen.add(ident)
        taken.add(found[-1])
    return found


def held_out(prompt: str, share: float) -> bool:
    """Whether a prompt belongs to the held-out part of this share, in [0, 1]: by hash, so all rows of a prompt fall on one side."""
    return int(stable_id("held out", prompt), 16) / 16**16 < share
