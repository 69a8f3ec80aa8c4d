"""Two stages, or two runs, side by side on the same problem, those verdicts first that turned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from .index import Index
from .query import Searches, Wanted, chosen, light

CHANGES = ("lost", "gained", "changed", "same")
Key = tuple[str, str, int]
"""Set, problem, and which of its judgements."""


def compared(
    one: tuple[Index, str], other: tuple[Index, str], searches: Searches, *,
    sets: Sequence[str] = (), change: Sequence[str] = (), text: str = "", offset: int = 0, limit: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A page of problems that both have judged; `limit` None = all of them."""
    first, second = _judged(*one), _judged(*other)
    shared = sorted({key[0] for key in first} & {key[0] for key in second})
    keys = [key for key in first if key in second and (not sets or key[0] in sets)]
    kinds = {key: _change(one[0], first[key], other[0], second[key]) for key in keys}
    found = Counter(kinds.values())
    fitting = {int(number) for number in chosen(one[0], one[0].rows.table(), Wanted(text=text), searches)} if text.strip() else None
    listed = [key for key in keys if (not change or kinds[key] in change) and (fitting is None or first[key] in fitting)]
    listed.sort(key=lambda key: CHANGES.index(kinds[key]))
    page = listed[offset:] if limit is None else listed[offset : offset + limit]
    return {
        "a": f"{one[0].source.run}:{one[1]}", "b": f"{other[0].source.run}:{other[1]}", "sets": shared, "total": len(listed),
        "of": len(keys), "offset": offset, "counts": {name: found[name] for name in CHANGES},
        "right": {"a": _right(one[0], first, keys), "b": _right(other[0], second, keys),
                  "of": sum(int(one[0].rows.table()[first[key]]["right"]) >= 0 for key in keys)},
        "only_a": len(first.keys() - second.keys()), "only_b": len(second.keys() - first.keys()),
        "items": [_item(one[0], first[key], other[0], second[key], kinds[key], key) for key in page],
    }  # fmt: skip


def _judged(index: Index, stage: str) -> dict[Key, int]:
    """Judgements of a stage's evaluations, or of whatever a command judged, by what they are about."""
    table, code = index.rows.table(), index.stages.known(stage)
    found: dict[Key, int] = {}
    if code is None:
        return found
    files = [number for number, (_, name) in enumerate(index.kinds) if name.startswith("evaluation-") or index.source.kind != "run"]
    numbers = np.flatnonzero((table["stage"] == code) & np.isin(table["file"], files))
    some_columns = (table[name][numbers].tolist() for name in ("set", "problem", "order", "index"))
    by_problem: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for number, of_set, problem, order, place in zip(numbers.tolist(), *some_columns, strict=True):
        # What a command judged has one set; its name says nothing about the data.
        name = index.sets.names[of_set] if index.source.kind == "run" else "judgements"
        by_problem[name, index.problems.names[problem]].append((order, place, number))
    for (name, problem), some in by_problem.items():
        for place, (_, _, number) in enumerate(sorted(some)):
            found[name, problem, place] = number
    return found


def _change(one: Index, number: int, other: Index, its: int) -> str:
    a, b = one.rows.table()[number], other.rows.table()[its]
    if a["right"] == 1 and b["right"] == 0:
        return "lost"
    if a["right"] == 0 and b["right"] == 1:
        return "gained"
    return "same" if a["outcome"] == b["outcome"] else "changed"


def _right(index: Index, judged: dict[Key, int], keys: list[Key]) -> int:
    table = index.rows.table()
    return sum(int(table[judged[key]]["right"]) == 1 for key in keys)


def _item(one: Index, number: int, other: Index, its: int, change: str, key: Key) -> dict[str, Any]:
    a = light(one, number)
    return {"change": change, "problem": key[1], "set": key[0], "prompt": a["prompt"], "a": a, "b": light(other, its)}
