"""Lists of judgements: which rows fit, in which order, and a page of them."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from .index import Index
from .reading import Judgement, short
from .rows import ORDERS, OUTCOMES, Codes, told

YES_NO = {"yes": 1, "no": 0, "none": -1}
SORTS = ("given", "score", "-score", "length", "-length", "newest")


@dataclass(frozen=True)
class Wanted:
    """What is asked for; empty or None = everything."""

    stage: Sequence[str] = ()
    set: Sequence[str] = ()
    outcome: Sequence[str] = ()
    right: Sequence[str] = ()
    kept: Sequence[str] = ()
    order: Sequence[str] = ()
    problem: Sequence[str] = ()
    step: Sequence[int] = ()
    score_min: float | None = None
    score_max: float | None = None
    length_min: int | None = None
    length_max: int | None = None
    text: str = ""
    sort: str = "given"


class Searches:
    """The rows that the last searches for words found, so that the next page of them costs nothing."""

    def __init__(self, most: int = 8) -> None:
        self._found: OrderedDict[tuple[int, str, int], Any] = OrderedDict()
        self._most, self._lock = most, Lock()

    def find(self, index: Index, words: str) -> Any:
        texts = index.texts
        key = (id(texts), words.lower(), len(texts))
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        found = texts.search(words)
        with self._lock:
            self._found[key] = found
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return found


def listed(index: Index, wanted: Wanted, searches: Searches, offset: int, limit: int) -> dict[str, Any]:
    """A page of the judgements that fit, how many these are, and what they came to."""
    begun = time.perf_counter()
    table = index.rows.table()
    numbers = chosen(index, table, wanted, searches)
    page = numbers[offset : offset + limit]
    return {
        "total": len(numbers), "of": len(table), "offset": offset, "counts": counts(table[numbers]),
        "indexed": {"rows": len(table), "done": index.done}, "items": [light(index, int(number)) for number in page],
        "milliseconds": round(1000 * (time.perf_counter() - begun), 1),
    }  # fmt: skip


def chosen(index: Index, table: Any, wanted: Wanted, searches: Searches) -> Any:
    """The numbers of the rows that fit, in the order that is asked for."""
    fits: Any = np.ones(len(table), bool)
    for name, codes in _coded(index, wanted):
        fits &= np.isin(table[name], codes)
    for name, low, high in (("score", wanted.score_min, wanted.score_max), ("tokens", wanted.length_min, wanted.length_max)):
        if low is not None:
            fits &= table[name] >= low
        if high is not None:
            fits &= table[name] <= high
            fits &= (table[name] >= 0) if name == "tokens" else True
    if wanted.text.strip():
        found = searches.find(index, wanted.text)
        fits[: len(found)] &= found[: len(table)]
        fits[len(found) :] = False
    return _sorted(table, np.flatnonzero(fits), wanted.sort)


def _coded(index: Index, wanted: Wanted) -> Iterable[tuple[str, list[int]]]:
    """Columns that have to be one of these codes; a name that nothing has fits nothing."""
    for name, values, codes in (
        ("stage", wanted.stage, index.stages), ("set", wanted.set, index.sets), ("problem", wanted.problem, index.problems),
    ):  # fmt: skip
        if values:
            yield name, _known(codes, values)
    for name, values, names in (("outcome", wanted.outcome, OUTCOMES), ("order", wanted.order, ORDERS)):
        if values:
            yield name, [names.index(value) for value in values if value in names]
    for name, values in (("right", wanted.right), ("kept", wanted.kept)):
        if values:
            yield name, [YES_NO[value] for value in values if value in YES_NO]
    if wanted.step:
        yield "step", list(wanted.step)


def _known(codes: Codes, names: Iterable[str]) -> list[int]:
    return [code for name in names if (code := codes.known(name)) is not None]


def _sorted(table: Any, numbers: Any, sort: str) -> Any:
    numbers = numbers[np.argsort(table["file"][numbers], kind="stable")]  # files are read by turns
    if sort == "newest":
        return numbers[::-1]
    column = {"score": "score", "length": "tokens"}.get(sort.removeprefix("-"))
    if column is None:
        return numbers
    values = table[column][numbers].astype(float)
    unknown = np.isnan(values) if column == "score" else values < 0
    keys = np.where(unknown, np.inf, -values if sort.startswith("-") else values)  # what is not known stands last
    return numbers[np.argsort(keys, kind="stable")]


def counts(table: Any) -> dict[str, Any]:
    """How many rows have each outcome, and are right or wrong."""
    outcomes, right = Counter(table["outcome"].tolist()), Counter(table["right"].tolist())
    return {
        "outcome": {name: outcomes[code] for code, name in enumerate(OUTCOMES) if outcomes[code]},
        "right": {name: right[code] for name, code in YES_NO.items() if right[code]},
    }


def light(index: Index, number: int, one: Judgement | None = None) -> dict[str, Any]:
    """One judgement as a list shows it."""
    row = index.rows.table()[number]
    one = one or index.judgement(number)
    stage, kind = index.stages.names[row["stage"]], index.kind(row["file"])
    score = float(row["score"])
    return {
        "id": index.idents[number], "stage": stage, "set": index.sets.names[row["set"]],
        "kind": kind, "problem": one.problem, "order": one.order,
        "index": int(row["index"]), "step": int(row["step"]) if row["step"] >= 0 else None, "outcome": one.outcome,
        "right": told(row["right"]), "label": one.label, "score": None if np.isnan(score) else score,
        "score_name": "reward" if kind == "rollouts" else index.scorers.get(stage),
        "kept": told(row["kept"]),
        "tokens": int(row["tokens"]) if row["tokens"] >= 0 else None, "prompt": short(one.prompt), "snippet": short(one.text),
        "error": one.error,
    }  # fmt: skip
