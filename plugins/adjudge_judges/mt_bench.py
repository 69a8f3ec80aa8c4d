"""MT-Bench's pairwise way of judging: compare, explain shortly, then ``[[A]]``, ``[[B]]``, or ``[[C]]`` for a tie.

The paper (arXiv 2306.05685) judges greedily with at most 2,048 new tokens, in both orders, and calls what differs between the orders a
tie. Its code takes ``[[A]]`` wherever it stands and looks for ``[[B]]`` only when there is none.
Different here: the words of the prompt are our own; a mark may be written in other ways that a person would read (``[[ a ]]``, ``[[Tie]]``,
a box at the end); and of two marks that differ the last counts only where the text says so (`statements`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .marks import GAP, read_marks
from .templates import filled, words
from .worded_judge import WordedJudge

_MARKS = (
    re.compile(rf"\[\[{GAP}(?:assistant\s)?([ABC]|tie){GAP}\]\]", re.IGNORECASE),
    re.compile(rf"\\boxed\{{{GAP}(?:assistant\s)?([ABC]){GAP}\}}(?=\W*\Z)", re.IGNORECASE),
    re.compile(r"\bverdict(?:\sis)?:?\s{0,2}(?:assistant\s)?[\[(]?([ABC])[\])]?(?=\s*[.!]?\s*\Z)", re.IGNORECASE),
)
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND, "C": Outcome.TIE, "TIE": Outcome.TIE}


class MtBench(WordedJudge):
    """MT-Bench's prompt: two assistants, a short explanation, the verdict in double brackets; C is a tie."""

    use: Literal["mt-bench"] = "mt-bench"
    expects = "[[A]], [[B]] or [[C]]"
    verdicts = ("[[A]]", "[[B]]", "[[C]]")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Sampling temperature; 0 is greedy, as in the paper."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 2048
    """Tokens a judgement may take, thinking included; one that takes more is *truncated*."""
    order: Literal["random", "both", "fixed"] = "both"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("assistants.user.txt", problem, order)
        return [{"role": "system", "content": words("mt_bench.system.txt")}, {"role": "user", "content": pair}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, _MARKS, _OUTCOMES)
