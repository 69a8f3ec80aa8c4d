"""Accuracy over tokens: a judge that thinks longer against the same one that is asked more often, from judgements that were kept.

RRM lets a judge think longer (sequential test-time compute) or has it vote (parallel), and plots both over tokens. Here the first is one
judge with several `thinking_budget`s, and the second the majority of V of its judgements of the same pairs, from calls with several seeds.
A majority is expected over all sets of V that could be drawn from those that are there, so no luck of one draw is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path as FilePath
from typing import Any

from adjudge import DataError, came_back

from .kappa import SPLIT, Unit, cohen_kappa, turned
from .sides import Item, Side, read_side

BUDGET, SEED = "judge.thinking_budget", "seed"
PLACES = ("out",)
"""Settings besides these two that two calls of one judge may differ in."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """All votes of one pair."""

    right: int
    wrong: int
    neither: int
    """Ties, orders that contradict each other, and what could not be read."""

    @property
    def size(self) -> int:
        return self.right + self.wrong + self.neither

    def expected(self, votes: int) -> tuple[float, float, float]:
        """How probably the majority of so many of them is right, wrong and neither; a draw of both sides is half right and half wrong."""
        found = [0.0, 0.0, 0.0]
        for right in range(min(votes, self.right) + 1):
            for wrong in range(min(votes - right, self.wrong) + 1):
                ways = comb(self.right, right) * comb(self.wrong, wrong) * comb(self.neither, votes - right - wrong)
                if right == wrong:
                    shares = (0.5, 0.5, 0.0) if right else (0.0, 0.0, 1.0)
                else:
                    shares = (1.0, 0.0, 0.0) if right > wrong else (0.0, 1.0, 0.0)
                found = [before + ways * share for before, share in zip(found, shares, strict=True)]
        right_of, wrong_of, neither_of = (one / comb(self.size, votes) for one in found)
        return right_of, wrong_of, neither_of


def scaling(folders: Sequence[FilePath], evaluation: str | None = None) -> list[dict[str, Any]]:
    """For every judge its points, ``{"budget", "votes", "tokens", "accuracy": {"value", "n", "interval"}, "kappa"}``, by budget and votes.

    Tokens are the mean of all that a verdict takes; κ has the form of the accuracy. Raises `DataError` where a folder has no settings, or
    no labels."""
    judges: dict[tuple[Any, ...], dict[Any, list[Side]]] = {}
    for folder in folders:
        side = read_side(folder, evaluation)
        if "judge.use" not in side.facts:
            raise DataError(f"{folder}: it does not say who judged.\n  Remedy: name folders that bench, eval or judge wrote with --out.")
        judges.setdefault(_same(side.facts), {}).setdefault(side.facts.get(BUDGET), []).append(side)
    found = []
    for budgets in judges.values():
        by_budget = sorted(budgets.items(), key=lambda item: (item[0] is None, item[0] or 0))
        points = [point for budget, sides in by_budget for point in _points(budget, sides)]
        facts = by_budget[0][1][0].facts
        found.append({"model": facts.get("model"), "judge": facts["judge.use"], "points": points})
    return found


def _same(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes judgements those of one judge on one set of pairs."""
    left_out = (BUDGET, SEED, *PLACES)
    return tuple(
        (name, str(value))
        for name, value in sorted(facts.items())
        if name not in left_out and not name.startswith(("versions.", "commit")) and value is not None
    )


def _points(budget: int | None, sides: Sequence[Side]) -> Iterator[dict[str, Any]]:
    from adjudge_benchmarks import proportion

    shared = set.intersection(*({name for name, item in side.items.items() if item.label is not None} for side in sides))
    if not shared:
        raise DataError(f"{sides[0].name}: no pair has a label.\n  Remedy: name judgements of labelled pairs.")
    every = [[side.items[name] for side in sides] for name in sorted(shared)]
    asked = [items for items in every if any(item.verdicts for item in items)]  # without a pair of which every call failed
    ballots = [_ballot(items) for items in asked]
    most = min((ballot.size for ballot in ballots), default=0)
    tokens = _tokens(sides)
    for votes in range(1, most + 1, 2):
        majorities = [ballot.expected(votes) for ballot in ballots]
        found = proportion("", [right for right, _, _ in majorities])
        accuracy = {"value": found.value, "n": found.n, "interval": found.interval}
        kappa = cohen_kappa(map(_unit, asked, majorities))
        yield {"budget": budget, "votes": votes, "tokens": None if tokens is None else votes * tokens, "accuracy": accuracy, "kappa": kappa}


def _ballot(items: Sequence[Item]) -> Ballot:
    said = [verdict for item in items for verdict in item.verdicts]
    right, decided = sum(verdict == items[0].label for verdict in said), sum(verdict in ("first", "second") for verdict in said)
    return Ballot(right, decided - right, len(said) - decided)


def _unit(items: Sequence[Item], majority: tuple[float, float, float]) -> Unit:
    """A majority's verdict beside the truth, in the orders in which its votes saw the pair, each as often as they did."""
    came = [by_order for item in items for by_order in item.samples.values() if came_back(by_order.values())]
    orders = Counter(order for by_order in came for order in by_order)
    truth = str(items[0].label)
    cells: list[tuple[str, str, float]] = []
    for order, count in sorted(orders.items()):
        for said, share in zip((truth, turned(truth), SPLIT), majority, strict=True):
            if share:
                shown = [turned(one) if order == "swapped" else one for one in (truth, said)]
                cells.append((shown[0], shown[1], share * count / orders.total()))
    return tuple(cells)


def _tokens(sides: Sequence[Side]) -> float | None:
    """Mean tokens of a verdict, which two judgements make where both orders are asked."""
    known = [(side.tokens, side) for side in sides if side.tokens is not None]
    if len(known) < len(sides):
        return None
    judged = sum(len(by_order) for _, side in known for item in side.items.values() for by_order in item.samples.values())
    verdicts = sum(len(item.samples) for _, side in known for item in side.items.values())
    return sum(tokens for tokens, _ in known) / len(known) * judged / verdicts
