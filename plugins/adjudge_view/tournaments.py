"""Rankings as `adjudge rank` keeps them: light rows for a list, and one in full with its rounds, matches, votes and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from adjudge_figures import circular_triples
from adjudge_report import options_line

from .reading import Judgement, short

ELIMINATION = ("knockout", "single-elimination")
"""Schemes in which only winners go on."""
POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}
"""What a match's outcome is worth to the first of it."""
SHOWN = 3
"""Circles that are named."""
Place = tuple[int, int, int]


class TournamentIndex:
    """Light rows of rankings, in the order of the file."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.places: dict[str, Place] = {}
        self.searched: list[str] = []

    def add(self, row: Mapping[str, Any], place: Place) -> None:
        ident = str(row.get("id"))
        if ident in self.places:
            return
        self.places[ident] = place
        self.searched.append("\n".join(map(str, (row.get("prompt", ""), *row["answers"]))).lower())
        order, label = row.get("order"), _label(row)
        best = order[0] if order else None
        matches = row["matches"]
        self.items.append(
            {
                "id": ident, "prompt": short(str(row.get("prompt", ""))), "answers": len(row["answers"]), "best": best,
                "best_text": None if best is None else short(str(row["answers"][best])), "label": label,
                "shared": 0 if best is None else _equals(row.get("ratings"), best) - 1,
                "right": None if label is None or best is None else best == label, "matches": len(matches),
                "votes": sum(len(one.get("votes") or ()) for one in matches), "tokens": row.get("tokens"),
                "undecided": row.get("undecided"), "inconsistent": row.get("inconsistent"), "circles": row.get("circles"),
                "stopped": row.get("stopped"), "rated_by": row.get("rated_by"),
            }
        )  # fmt: skip


def _label(row: Mapping[str, Any]) -> int | None:
    found = row.get("label")
    return {"first": 0, "second": 1}.get(found) if isinstance(found, str) else found


def in_full(row: Mapping[str, Any], options: Mapping[str, Any] | None) -> dict[str, Any]:
    """One ranking with its candidates, best first, and its rounds; `options` are the scheme's, where they are known."""
    rounds: dict[int, list[dict[str, Any]]] = {}
    for number, match in enumerate(row["matches"]):
        rounds.setdefault(int(match.get("round", 0)), []).append(_match(number, match))
    matches = [match for some in rounds.values() for match in some]
    scheme = str(options["use"]) if options else row.get("rated_by")
    return {
        "id": str(row["id"]), "prompt": str(row.get("prompt", "")), "label": _label(row), "scheme": scheme,
        "scheme_line": options_line(options) if options else scheme, "bracket": scheme in ELIMINATION, "rated_by": row.get("rated_by"),
        "stopped": row.get("stopped"), "notes": _notes(row, matches), "candidates": _candidates(row, matches),
        "rounds": [{"round": number, "matches": some} for number, some in sorted(rounds.items())],
    }  # fmt: skip


def _candidates(row: Mapping[str, Any], matches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers, order, label = row["answers"], row.get("order"), _label(row)
    found, ratings = [], row.get("ratings")
    for index in order or range(len(answers)):
        mine = [match for match in matches if index in (match["first"], match["second"]) and not match["dropped"]]
        wins = sum(match["winner"] == index for match in mine)
        draws = sum(match["winner"] is None for match in mine)
        found.append(
            {
                "index": index, "place": _place(order, ratings, index) if order else None, "tied": bool(order) and _tied(ratings, index),
                "text": str(answers[index]), "rating": _at(ratings, index),
                "interval": _at(row.get("intervals"), index), "reward": _at(row.get("rewards"), index),
                "right": None if label is None else index == label, "wins": wins, "losses": len(mine) - wins - draws, "draws": draws,
            }
        )  # fmt: skip
    return found


def _place(order: Sequence[int], ratings: Sequence[float] | None, index: int) -> int:
    """Its place from 1; candidates with the same rating share the first one of theirs."""
    return 1 + (order.index(index) if ratings is None else sum(rating > ratings[index] for rating in ratings))


def _tied(ratings: Sequence[float] | None, index: int) -> bool:
    return _equals(ratings, index) > 1


def _equals(ratings: Sequence[float] | None, index: int) -> int:
    """How many candidates have the rating of this one, itself included."""
    return 1 if ratings is None else list(ratings).count(ratings[index])


def _at(values: Any, index: int) -> Any:
    return values[index] if values else None


def _match(number: int, match: Mapping[str, Any]) -> dict[str, Any]:
    outcome = str(match.get("outcome"))
    winner = {"first": match["first"], "second": match["second"]}.get(outcome)
    return {
        "match": number, "first": match["first"], "second": match["second"], "outcome": outcome, "winner": winner,
        "probability": match.get("probability"), "votes": match.get("votes") or [], "inconsistent": match.get("inconsistent"),
        "undecided": bool(match.get("undecided")), "dropped": bool(match.get("dropped")), "tokens": match.get("tokens"),
        "judgements": [_vote(one) for one in match.get("judgements") or ()],
    }  # fmt: skip


def _vote(row: Mapping[str, Any]) -> dict[str, Any]:
    one = Judgement(row, row)
    return {
        "shown": one.shown, "order": one.order, "outcome": one.outcome, "text": one.text, "pieces": one.pieces(), "tokens": one.tokens,
        "error": one.error, "probability": one.probability,
    }  # fmt: skip


def _circles(matches: Sequence[Mapping[str, Any]]) -> str:
    """The triples in which each candidate beat the next, or some where there are many."""
    points: dict[tuple[int, int], list[float]] = {}
    for one in matches:
        if one["outcome"] in POINTS and not one["undecided"]:
            points.setdefault((one["first"], one["second"]), []).append(POINTS[one["outcome"]])
            points.setdefault((one["second"], one["first"]), []).append(1 - POINTS[one["outcome"]])
    beats = {pair: sum(some) / len(some) for pair, some in points.items()}
    found = list(islice(circular_triples(beats), SHOWN + 1))
    named = "; ".join(f"{a + 1} beats {b + 1}, {b + 1} beats {c + 1} and {c + 1} beats {a + 1}" for a, b, c in found[:SHOWN])
    return f"for example {named}" if len(found) > SHOWN else named


def _notes(row: Mapping[str, Any], matches: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was not as it should be, in words."""
    told = []
    if row.get("order") is None:
        told.append("not ranked: no vote could be read")
    if row.get("undecided"):
        told.append(f"{row['undecided']} matches without a readable vote")
    if row.get("dropped"):
        told.append(f"{row['dropped']} matches dropped")
    if row.get("inconsistent"):
        told.append(f"{row['inconsistent']} votes changed with the order")
    if row.get("circles"):
        told.append(f"{row['circles']} of {row.get('triples')} triples go round in a circle: {_circles(matches)}")
    if (row.get("parts") or 1) > 1:
        told.append(f"the matches leave {row['parts']} parts that were never compared")
    if row.get("stopped"):
        told.append(f"stopped: the budget of {row['stopped']} is spent")
    return told
