"""Reads a judgement from a row of whichever file of ours it stands in: a path's, a rollout's, a benchmark's, a verdict's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MIRRORED = {"first": "second", "second": "first"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement, in whichever shape its row has it."""

    row: Mapping[str, Any]
    made: Mapping[str, Any]
    """What was judged, how, and what came of it: the row itself, or one of several in it."""
    sub: int = -1
    """Which of several it is; -1 = the row is the judgement."""

    @property
    def id(self) -> str:
        return str(self.row["id"]) if self.sub < 0 else f"{self.row.get('id', 'judgement')}.{self.sub}"

    @property
    def completion(self) -> Mapping[str, Any]:
        found = self.made.get("completion")
        return found if isinstance(found, dict) else self.made

    @property
    def text(self) -> str:
        return str(self.completion.get("text") or "")

    @property
    def error(self) -> str | None:
        found = self.completion.get("error")
        return None if found is None else str(found)

    @property
    def problem(self) -> str:
        return str(self.row.get("problem_id") or self.made.get("id") or self.row.get("id"))

    @property
    def prompt(self) -> str:
        return str(self.made.get("prompt") or self.row.get("prompt") or "")

    @property
    def shown(self) -> list[str]:
        """The answers as the judge was shown them."""
        return [str(one) for one in self.made.get("shown") or self.row.get("answers") or ()]

    @property
    def order(self) -> str:
        return "swapped" if self.made.get("order") == "swapped" else "given"

    @property
    def verdict(self) -> Mapping[str, Any]:
        found = self.made.get("verdict")
        return found if isinstance(found, dict) else {}

    @property
    def outcome(self) -> str:
        """In the problem's own order."""
        if (found := self.made.get("outcome")) is not None:
            return str(found)
        if self.error is not None:
            return "failed"
        said = str(self.verdict.get("outcome"))
        return MIRRORED.get(said, said) if self.order == "swapped" else said

    @property
    def label(self) -> str | None:
        """The right outcome, in the problem's own order."""
        found = self.made.get("label", self.row.get("label"))
        return {0: "first", 1: "second"}.get(found) if isinstance(found, int) else found

    @property
    def right(self) -> bool | None:
        if "right" in self.made:
            found: bool | None = self.made["right"]
            return found
        return None if self.label is None or self.outcome == "failed" else self.outcome == self.label

    @property
    def tokens(self) -> int | None:
        """How many it has; None where nobody told."""
        for name in ("tokens", "token_ids"):
            found = self.completion.get(name)
            if isinstance(found, int):
                return found or (None if self.text else 0)
            if isinstance(found, list) and (found or not self.text):
                return len(found)
        return None

    @property
    def probability(self) -> float | None:
        found: float | None = self.verdict.get("probability", self.made.get("probability"))
        return found

    @property
    def searched(self) -> str:
        """Everything that a search looks through."""
        return "\n".join((self.prompt, *self.shown, self.text, self.error or ""))

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """Where the text reasons and where it answers."""
        told = {name: self.verdict.get(name) for name in ("reasoning", "answer")}
        found = {name: (span[0], span[1]) for name, span in told.items() if isinstance(span, list) and list(map(type, span)) == [int, int]}
        reasoning = self.made.get("reasoning")
        if not found and isinstance(reasoning, str) and reasoning and (start := self.text.find(reasoning)) >= 0:
            found = {"reasoning": (start, start + len(reasoning))}
        return found

    def pieces(self) -> list[dict[str, str]]:
        """The text in pieces, each with what it is: reasoning, answer, or nothing."""
        spans = self.spans
        cuts = sorted({0, len(self.text), *(end for span in spans.values() for end in span)})
        return [{"kind": kind_at(spans, start), "text": self.text[start:end]} for start, end in pairwise(cuts)]


def kind_at(spans: Mapping[str, tuple[int, int]], place: int) -> str:
    """The span that a position lies in, the answer before the reasoning."""
    return next((name for name in ("answer", "reasoning") if name in spans and spans[name][0] <= place < spans[name][1]), "")


def several(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The judgements within a row of what commands print with ``--json``: a verdict's, an evaluation's, those of each rated answer."""
    found: list[Mapping[str, Any]] = []
    held = row.get("judgements_made", row.get("judgements"))
    for place, one in enumerate(held if isinstance(held, list) else ()):
        shown = {"shown": row["answers"][place : place + 1]} if isinstance(one, list) else {}
        found += [{**each, **shown} for each in (one if isinstance(one, list) else [one]) if isinstance(each, dict) and "text" in each]
    return found


def judgements_in(row: Mapping[str, Any]) -> list[Judgement]:
    """The judgements of a row; none where it is a row of something else."""
    if some := several(row):
        return [Judgement(row, one, index) for index, one in enumerate(some)]
    judged = "id" in row and ("outcome" in row or "verdict" in row) and ("completion" in row or "text" in row) and "order" in row
    return [Judgement(row, row)] if judged else []


def judgement_at(row: Mapping[str, Any], sub: int) -> Judgement:
    """One judgement of a row."""
    return Judgement(row, row) if sub < 0 else Judgement(row, several(row)[sub], sub)


def short(text: str, most: int = 140) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"
