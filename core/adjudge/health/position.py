"""How often a judge is right, and what the order in which a pair is shown does to its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adjudge.benchmark import Judged, Judgement
from adjudge.records import Outcome

from .units import figure, is_right, mean_of, shown

POSITIONS = ("consistent", "always_first", "always_second", "one_tie", "undecided")


def accuracy(labelled: Sequence[Judged]) -> dict[str, Any]:
    """All judgements; those that show the right answer first, or second; and both orders of a problem's first sample right."""
    split: dict[bool, list[float]] = {True: [], False: []}
    for item in labelled:
        for first, place in (
            (True, "given" if item.problem.label == 0 else "swapped"),
            (False, "swapped" if item.problem.label == 0 else "given"),
        ):
            found = [float(is_right(item, one)) for one in item.judgements if one.order == place]
            split[first] += [mean_of(found)] if found else []
    return {
        "all": figure([mean_of(float(is_right(item, one)) for one in item.judgements) for item in labelled if item.judgements]),
        "right_shown_first": figure(split[True]),
        "right_shown_second": figure(split[False]),
        "both_orders": figure([float(all(is_right(item, one) for one in pair)) for item in labelled if (pair := _pair(item))]),
    }


def _pair(item: Judged) -> tuple[Judgement, Judgement] | None:
    """The first sample that was asked in both orders: the given one, then the swapped one."""
    by_index: dict[int, dict[str, Judgement]] = {}
    for one in item.judgements:
        by_index.setdefault(one.index, {})[one.order] = one
    pairs = [by_index[index] for index in sorted(by_index) if len(by_index[index]) == 2]
    return (pairs[0]["given"], pairs[0]["swapped"]) if pairs else None


def position(judged: Sequence[Judged]) -> dict[str, Any]:
    """What became of a problem's first sample when the order was turned round; `flipped` = always the same place."""
    kinds = [_conflict(*pair) for item in judged if (pair := _pair(item))]
    found = {kind: figure([float(one == kind) for one in kinds]) for kind in POSITIONS}
    return {**found, "flipped": figure([float(one.startswith("always")) for one in kinds])}


def _conflict(given: Judgement, swapped: Judgement) -> str:
    if not (given.outcome.decided and swapped.outcome.decided):
        return "undecided"
    if given.outcome == swapped.outcome:
        return "consistent"
    if Outcome.TIE in (given.outcome, swapped.outcome):
        return "one_tie"
    return "always_first" if shown(given) == Outcome.FIRST else "always_second"
