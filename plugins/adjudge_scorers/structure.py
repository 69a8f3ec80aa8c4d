"""A score from the text alone: does the reasoning quote what is really there, and does it go round in circles?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from adjudge import PathScorer, Problem, ReasoningPath, Score, Session

QUOTES = re.compile(r'"([^"\n]+)"|“([^”\n]+)”|`([^`\n]+)`|«([^»\n]+)»')


class Structure(PathScorer):
    """(share of quoted spans that stand in the question or an answer) · (1 − repetition), in [0, 1]; looks at texts alone.

    Repetition is 1 − different / all runs of `words` neighbouring words of the reasoning. Without quotes the first factor is 1. The idea is
    that of Mix-GRM's structured rationales (2603.01571), which says what they look like and gives no measure: this one is ours. It
    says nothing of whether a path is right. No label and no log-probability is needed."""

    use: Literal["structure"] = "structure"
    words: Annotated[int, Field(gt=0)] = 4
    """Length of the runs of words that are looked for again."""
    least: Annotated[int, Field(gt=0)] = 3
    """Characters below which what stands between quotation marks is a word that is talked about, and no quotation."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        shown = " ".join(_plain(text) for text in (problem.prompt, *problem.answers))
        return [self._score(path, shown) for path in paths]

    def _score(self, path: ReasoningPath, shown: str) -> Score:
        if path.verdict.reasoning is None:
            return Score(path.id, None)
        text = path.completion.text[slice(*path.verdict.reasoning)]
        quoted = [plain for groups in QUOTES.findall(text) if len(plain := _plain("".join(groups))) >= self.least]
        found = sum(one in shown for one in quoted) / len(quoted) if quoted else 1.0
        repetition = self._repetition(_plain(text).split())
        parts = {"quotations": float(len(quoted)), "quotations_found": found, "repetition": repetition}
        return Score(path.id, found * (1 - repetition), parts)

    def _repetition(self, words: Sequence[str]) -> float:
        runs = [tuple(words[start : start + self.words]) for start in range(len(words) - self.words + 1)]
        return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _plain(text: str) -> str:
    """In small letters and with single spaces."""
    return " ".join(text.casefold().split())
