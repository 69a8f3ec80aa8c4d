"""What verdicts, rankings and runs look like in a notebook: plain HTML with its styles inside, so that it needs nothing and prints well.

A verdict shows each text with the probability of every token as a shade; a ranking its ladder and matches; a run its evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from adjudge import Completion, Outcome, ReasoningPath

from .gather import RunFiles
from .phrases import snippet
from .wording import interval, measures, number, percent

if TYPE_CHECKING:
    from adjudge import PairVerdict
    from adjudge_tournament import TournamentResult

MARKS = {"reasoning": "border-bottom: 2px solid #7a9cc6", "answer": "border-bottom: 2px solid #2f7d4f; font-weight: 600"}
BOX = "white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: 0.9em; line-height: 1.6"
HARDLY = 6.0
"""Nats below which a token is as improbable as the darkest shade can say."""


def shaded(path: ReasoningPath) -> str:
    """A judgement's text: the darker a token, the less probable it was; reasoning and answer are underlined."""
    parts = []
    for text, logprob, kind in _tokens(path):
        depth = 0.0 if logprob is None else min(1.0, -logprob / HARDLY)
        style = f"background: rgba(214, 102, 32, {0.75 * depth:.2f})" if depth > 0.01 else ""
        style = "; ".join(filter(None, (style, MARKS.get(kind, ""))))
        told = "" if logprob is None else f' title="probability {math.exp(logprob):.3f}"'
        parts.append(f'<span style="{style}"{told}>{escape(text)}</span>' if style or told else escape(text))
    return "".join(parts)


def _tokens(path: ReasoningPath) -> Iterator[tuple[str, float | None, str]]:
    """Pieces of the text, one for each token where tokens are known: the text, its log-probability in nats, and what it belongs to."""
    completion, start = path.completion, 0
    for index, end in enumerate(_ends(completion)):
        if end > start:
            logprob = None if completion.logprobs is None else completion.logprobs[index]
            yield completion.text[start:end], logprob, _kind(path, end)
            start = end
    if start < len(completion.text):
        yield completion.text[start:], None, ""


def _ends(completion: Completion) -> Sequence[int]:
    return completion.token_ends if len(completion.token_ends) == len(completion.token_ids) else ()


def _kind(path: ReasoningPath, end: int) -> str:
    """What a token whose last character ends here belongs to: the answer before the reasoning."""
    spans = (("answer", path.verdict.answer), ("reasoning", path.verdict.reasoning))
    return next((name for name, span in spans if span and span[0] < end <= span[1]), "")


def verdict_html(verdict: PairVerdict) -> str:
    """A pair with both answers, what the judge said, and every text behind it."""
    problem = verdict.problem
    right = {0: Outcome.FIRST, 1: Outcome.SECOND}.get(-1 if problem.label is None else problem.label)
    said = f"<b>{escape(verdict.outcome.value)}</b>" + ("" if right is None else f" (the label says {right.value})")
    rows = [("prompt", problem.prompt), *zip(("first", "second"), problem.answers, strict=False)]
    parts = [f"<p>verdict: {said}</p>", _table((), ((escape(name), f'<span style="{BOX}">{escape(text)}</span>') for name, text in rows))]
    for path in verdict.paths:
        told = f"shown as {path.order}, {len(path.completion.token_ids)} tokens, {path.outcome.value}"
        text = escape(path.completion.error or "") or shaded(path)
        parts.append(f'<details open><summary>{escape(told)}</summary><div style="{BOX}">{text}</div></details>')
    return "".join(parts)


def ranking_html(result: TournamentResult) -> str:
    """The ladder of a group, best first, and the matches that it was made from."""
    ranking = result.ranking
    rows = []
    for candidate in ranking.order:
        mine = ranking.ratings[candidate]
        place = f"{1 + sum(rating > mine for rating in ranking.ratings)}{'=' if ranking.ratings.count(mine) > 1 else ''}"
        ends = "" if ranking.intervals is None else "{:.2f} to {:.2f}".format(*ranking.intervals[candidate])
        rows.append((place, f"{mine:.2f}", ends, escape(snippet(result.problem.answers[candidate], 120))))
    played = ((f"{one.match.first} – {one.match.second}", escape(one.outcome.value)) for one in result.played)
    told = f"{len(result.played)} matches" + (f", stopped by its budget of {result.stopped}" if result.stopped else "")
    matches = f"<details><summary>{told}</summary>{_table(('candidates', 'outcome'), played)}</details>"
    return f"<p>{escape(snippet(result.problem.prompt, 200))}</p>{_table(('place', 'rating', '95%', 'answer'), rows)}{matches}"


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run folder, complete or not, as a notebook shows it: its evaluations, stage by stage. ``adjudge report`` makes the whole page."""

    folder: FilePath

    def _repr_html_(self) -> str:
        run = RunFiles.read(FilePath(self.folder))
        rows = []
        for stage in run.stages:
            for name, found in stage.evaluation.items():
                more = ", ".join(f"{measure} {number(value)}" for measure, value in measures(found).items())
                rows.append(
                    (
                        escape(stage.name),
                        escape(name),
                        str(found["n"]),
                        percent(found["accuracy"]),
                        interval(found["interval"]),
                        escape(more),
                    )
                )
        return f"<p>{escape(str(self.folder))}</p>{_table(('stage', 'set', 'n', 'accuracy', '95%', 'measures'), rows)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cell = 'style="text-align: left; vertical-align: top; padding: 2px 10px 2px 0"'
    head = "".join(f"<th {cell}>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td {cell}>{one}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if heads else ''}{body}</table>"
