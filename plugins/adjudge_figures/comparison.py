"""Two judges on the same pairs: which is right more often, on which pairs they differ, and how far that is more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from adjudge import DataError, outcome_rates, snippet, wilson

from .kappa import Unit, cohen_kappa, turned
from .mcnemar import paired
from .sides import Item, Side

NO_SETTING = ("out", "limit", "reporters", "engine.batch_size", "plan")
"""Settings that say nothing about a verdict."""


def compared(a: Side, b: Side) -> dict[str, Any]:
    """The comparison as a program reads it; raises `DataError` where the two are not about the same pairs."""
    shared = [ident for ident in a.items if ident in b.items]
    if not shared:
        raise DataError(
            f"{a.name} and {b.name} have no pair in common: the first has, for example, {next(iter(a.items))!r}, the second"
            f" {next(iter(b.items))!r}.\n  Remedy: compare judgements of the same data."
        )
    pairs = [(a.items[ident], b.items[ident]) for ident in shared]
    for one, other in pairs:
        _check_same(one, other)
    judged = [(one, other) for one, other in pairs if one.verdict is not None and other.verdict is not None]
    labelled = [(one, other, label) for one, other in judged if (label := one.label or other.label) is not None]
    right = [[item.verdict == label for item in (one, other)] for one, other, label in labelled]
    return {
        "a": _side(a, [one for one, _ in judged], [(one, label) for one, _, label in labelled]),
        "b": _side(b, [other for _, other in judged], [(other, label) for _, other, label in labelled]),
        "items": len(judged),
        "only_in_a": len(a.items) - len(shared),
        "only_in_b": len(b.items) - len(shared),
        "failed": len(pairs) - len(judged),
        "paired": paired([of_a for of_a, _ in right], [of_b for _, of_b in right]).told(),
        "changed": _share([one.verdict != other.verdict for one, other in judged]),
        "changed_by_chance": _by_chance(judged),
        "kappa_between": cohen_kappa(_between(judged)),
        "flips": [_flip(one, other) for one, other in judged if one.verdict != other.verdict],
        "differs": {name: [a.facts.get(name), b.facts.get(name)] for name in _differing(a.facts, b.facts)},
    }


def _check_same(one: Item, other: Item) -> None:
    for what in ("prompt", "answers", "label"):
        said = (getattr(one, what), getattr(other, what))
        if None not in said and said[0] != said[1]:
            raise DataError(
                f"{one.id}: its {what} differs, {snippet(str(said[0]))!r} on the one side and {snippet(str(said[1]))!r} on the other.\n"
                "  Remedy: compare judgements of the same data."
            )


def _side(side: Side, judged: Sequence[Item], labelled: Sequence[tuple[Item, str]]) -> dict[str, Any]:
    outcomes = [outcome for item in judged for by_order in item.samples.values() for outcome in by_order.values()]
    return {
        "name": side.name,
        "model": side.facts.get("model"),
        "judge": side.facts.get("judge.use"),
        "accuracy": _share([item.verdict == label for item, label in labelled]),
        "kappa": cohen_kappa(_unit(item, label) for item, label in labelled),
        "outcomes": outcome_rates(outcomes),
        "mean_tokens": side.tokens,
    }


def _unit(item: Item, label: str) -> Unit:
    """The verdict as it was shown, in each order that was asked in."""
    orders = sorted({order for sample in item.samples.values() for order in sample})
    shown = [tuple(turned(said) if order == "swapped" else said for said in (label, str(item.verdict))) for order in orders]
    return tuple((truth, said, 1 / len(orders)) for truth, said in shown)


def _between(judged: Sequence[tuple[Item, Item]]) -> Iterator[Unit]:
    """Both judges' verdicts, each pair also seen the other way round, so that it does not matter which answer stands first."""
    for one, other in judged:
        said = str(one.verdict), str(other.verdict)
        yield ((*said, 0.5), (turned(said[0]), turned(said[1]), 0.5))


def _by_chance(judged: Sequence[tuple[Item, Item]]) -> dict[str, Any]:
    """How often two samples of one judge differ, where both judges were asked again: a change of verdicts no larger is no drift."""
    shares = []
    for items in judged:
        again = [[x != y for x, y in combinations(item.verdicts, 2)] for item in items]
        if all(again):
            shares.append(sum(sum(some) / len(some) for some in again) / 2)
    mean = sum(shares) / len(shares) if shares else None
    return {"value": mean, "n": len(shares), "interval": wilson(sum(shares), len(shares)) if shares else None}


def _share(values: Sequence[bool]) -> dict[str, Any]:
    n, true = len(values), sum(values)
    return {"value": true / n if n else None, "n": n, "interval": wilson(true, n) if n else None}


def _flip(one: Item, other: Item) -> dict[str, Any]:
    label = one.label or other.label
    kind = {(True, False): "lost", (False, True): "gained"}.get((one.verdict == label, other.verdict == label), "other")
    answers = one.answers or other.answers
    return {
        "id": one.id, "kind": kind if label else "other", "label": label, "a": one.verdict, "b": other.verdict,
        "prompt": one.prompt or other.prompt, "answers": list(answers) if answers else None,
    }  # fmt: skip


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Settings and versions that are not the same; none where either side has none."""
    if not one or not other:
        return []
    return [name for name in dict.fromkeys((*one, *other)) if name not in NO_SETTING and one.get(name) != other.get(name)]
