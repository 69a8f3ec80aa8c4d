"""One judgement in full: prompt, answers, text with its spans, its tokens, its score, and its siblings on the same problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from threading import Lock
from typing import Any

import numpy as np

from adjudge import AdjudgeError, tokens_back
from adjudge_report import eligibility_rule, why_kept, why_not_scored

from .index import Index
from .query import light
from .reading import Judgement, judgement_at, kind_at
from .rows import OUTCOMES, told

MOST = 64
"""Siblings that are told of."""


class TokenNumbers:
    """The numbers of tokens, by record file; read one at a time, as files are shared."""

    def __init__(self) -> None:
        self._back: dict[FilePath, Callable[[Mapping[str, Any]], dict[str, Any]]] = {}
        self._lock = Lock()

    def whole(self, file: FilePath, one: Judgement) -> Judgement:
        """The judgement with the numbers of its tokens, as far as they are there."""
        completion = one.row.get("completion")
        if not isinstance(completion, dict) or completion.get("row") is None:
            return one
        with self._lock:
            if file not in self._back:
                self._back[file] = tokens_back(file)
            try:
                return judgement_at(self._back[file](one.row), one.sub)
            except (AdjudgeError, OSError, ImportError):  # the folder is not there, or cannot be read here
                del self._back[file]
                return one


def detail(index: Index, numbers: TokenNumbers, ident: str) -> dict[str, Any] | None:
    """All that is known of a judgement; None where there is none of this id."""
    number = index.numbers.get(ident)
    if number is None:
        return None
    table = index.rows.table()
    row = table[number]
    one = numbers.whole(index.file(int(row["file"])), index.judgement(number))
    siblings = same_problem(table, number)
    scores = _scores(index, table, siblings)
    return {
        **light(index, number, one),
        "prompt": one.prompt, "answers": _answers(one), "text": one.text, "opened": str(one.completion.get("opened") or ""),
        "verdict": {**one.verdict, "outcome": one.verdict.get("outcome"), "probability": one.probability,
                    "told": one.verdict.get("told") or one.made.get("told") or {}},
        "truncated": bool(one.completion.get("truncated")), "pieces": one.pieces(), "tokens_shown": tokens_shown(one),
        "score_parts": _parts(index, row, one), "why": _why(index, number, scores),
        "siblings": [_sibling(index, int(other), scores) for other in siblings[:MOST]], "elsewhere": _elsewhere(index, table, number),
        "previous": _neighbour(index, table, number, -1), "next": _neighbour(index, table, number, 1),
    }  # fmt: skip


def _answers(one: Judgement) -> list[dict[str, Any]]:
    """The answers as they were shown, each with whether it is the right one, and which one it is in the problem's own order."""
    names = ("first", "second") if one.order == "given" else ("second", "first")
    found = []
    for place, text in enumerate(one.shown):
        own = names[place] if len(one.shown) == 2 else None
        found.append({"text": text, "right": None if one.label is None else own == one.label, "shown": place + 1, "own": own})
    return found


def tokens_shown(one: Judgement) -> dict[str, Any] | None:
    """The text token by token, with what was recorded of each; None where nothing was."""
    made = one.completion
    ends, statistics = made.get("ends") or made.get("token_ends"), made.get("statistics") or {}
    if not ends or not (made.get("logprobs") or statistics):
        return None
    pieces = list(_tokens(one.text, ends))
    spans = one.spans
    return {
        "texts": [text for _, text, _ in pieces],
        "kinds": [kind_at(spans, max(start, end - 1)) for start, text, end in pieces],
        "logprobs": _column(made.get("logprobs"), len(pieces)),
        "statistics": {name: _column(values, len(pieces)) for name, values in statistics.items()},
    }


def _tokens(text: str, ends: list[int]) -> Iterator[tuple[int, str, int]]:
    """Where each token begins, what it writes, and where it ends; what stands behind the last one is a piece of its own."""
    place = 0
    for end in ends:
        stop = max(place, end)
        yield place, text[place:stop], stop
        place = stop
    if place < len(text):
        yield place, text[place:], len(text)


def _column(values: list[float] | None, size: int) -> list[float | None] | None:
    if values is None:
        return None
    return [*(float(f"{value:.6g}") for value in values[:size]), *[None] * (size - len(values))]


def same_problem(table: Any, number: int) -> Any:
    """The rows on the same problem in the same stage and set, of a rollout of the same step too; the best score first."""
    row = table[number]
    same = table["problem"] == row["problem"]
    for name in ("stage", "set", "step"):
        same &= table[name] == row[name]
    numbers = np.flatnonzero(same)
    scores = table["score"][numbers]
    return numbers[np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")]


Scores = dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""What the scorer told of siblings that were scored, by number, each with its path."""


def _scores(index: Index, table: Any, siblings: Any) -> Scores:
    scored = [int(other) for other in siblings if table[int(other)]["score_size"]]
    return {other: (_score(index, table[other]), index.judgement(other).row) for other in scored}


def _score(index: Index, row: Any) -> dict[str, Any]:
    return index.read((int(row["score_file"]), int(row["score_offset"]), int(row["score_size"])))


def _parts(index: Index, row: Any, one: Judgement) -> dict[str, float]:
    if row["score_size"]:
        return _score(index, row).get("parts") or {}
    return one.made.get("parts") or {}


def _why(index: Index, number: int, scores: Scores) -> str | None:
    """Why a path was kept or dropped; None where nothing was chosen."""
    if not _is_path(index, number) or not index.scorers:
        return None
    if number in scores:
        paths = {path["id"]: path for _, path in scores.values()}
        return why_kept(scores[number][0], [score for score, _ in scores.values()], paths)
    return why_not_scored(index.judgement(number).row, _rule(index, index.stages.names[index.rows.table()[number]["stage"]]))


def _rule(index: Index, stage: str) -> str:
    """The name of the rule by which a stage says what may be chosen."""
    stages, place = index.source.config.get("stages") or [], stage.partition("-")[0]
    return eligibility_rule(stages[int(place) - 1] if place.isdigit() and 0 < int(place) <= len(stages) else {})


def _is_path(index: Index, number: int) -> bool:
    return index.kind(int(index.rows.table()[number]["file"])) == "paths"


def _sibling(index: Index, number: int, scores: Scores) -> dict[str, Any]:
    row = index.rows.table()[number]
    return {**_brief(index, number), "kept": told(row["kept"]), "index": int(row["index"]), "why": _why(index, number, scores)}


def _brief(index: Index, number: int) -> dict[str, Any]:
    row = index.rows.table()[number]
    score = float(row["score"])
    return {
        "id": index.idents[number], "stage": index.stages.names[row["stage"]], "set": index.sets.names[row["set"]],
        "outcome": OUTCOMES[row["outcome"]] if row["outcome"] >= 0 else None, "right": told(row["right"]),
        "order": ("given", "swapped")[row["order"]], "score": None if math.isnan(score) else score,
        "tokens": int(row["tokens"]) if row["tokens"] >= 0 else None,
    }  # fmt: skip


def _elsewhere(index: Index, table: Any, number: int) -> list[dict[str, Any]]:
    """Judgements on the same problem in other stages and sets."""
    row = table[number]
    others = (table["problem"] == row["problem"]) & ((table["stage"] != row["stage"]) | (table["set"] != row["set"]))
    return [_brief(index, int(other)) for other in np.flatnonzero(others)[:MOST]]


def _neighbour(index: Index, table: Any, number: int, way: int) -> str | None:
    """The judgement before or behind it in the same file."""
    same = np.flatnonzero(table["file"] == table[number]["file"])
    place = int(np.searchsorted(same, number)) + way
    return index.idents[same[place]] if 0 <= place < len(same) else None
