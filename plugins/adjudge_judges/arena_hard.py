"""Arena-Hard's way of judging, which JudgeBench uses too: an own answer first, then one of five marks from ``[[A>>B]]`` to ``[[B>>A]]``.

Arena-Hard (arXiv 2406.11939) judges greedily with at most 4,096 new tokens and plays two games, one in each order; JudgeBench
(arXiv 2410.12784) counts a text with two different marks as no decision.
Different here: the words of the prompt are our own; ``[[A>>B]]`` and ``[[A>B]]`` are both *first*, because an outcome has no degrees; a
mark may be written in other ways that a person would read; and of two that differ the last counts where the text says so (`statements`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .marks import GAP, read_marks
from .templates import filled, words
from .worded_judge import WordedJudge

_STATED = rf"{GAP}(A\s?>{{1,3}}\s?B|B\s?>{{1,3}}\s?A|A\s?=\s?B|B\s?=\s?A){GAP}"
_MARKS = (re.compile(rf"\[\[{_STATED}\]\]", re.IGNORECASE), re.compile(rf"(?<!\[)\[{_STATED}\](?!\])", re.IGNORECASE))
_OUTCOMES = {
    **dict.fromkeys(("A>B", "A>>B", "A>>>B"), Outcome.FIRST),
    **dict.fromkeys(("A=B", "B=A"), Outcome.TIE),
    **dict.fromkeys(("B>A", "B>>A", "B>>>A"), Outcome.SECOND),
}


class ArenaHard(WordedJudge):
    """Arena-Hard's prompt: the judge answers itself, compares both assistants with that, and gives one of five marks."""

    use: Literal["arena-hard"] = "arena-hard"
    expects = "[[A>>B]], [[A>B]], [[A=B]], [[B>A]] or [[B>>A]]"
    verdicts = ("[[A>>B]]", "[[A>B]]", "[[A=B]]", "[[B>A]]", "[[B>>A]]")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Sampling temperature; 0 is greedy, as in the paper."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 4096
    """Tokens a judgement may take, thinking included; one that takes more is *truncated*."""
    order: Literal["random", "both", "fixed"] = "both"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("assistants.user.txt", problem, order)
        return [{"role": "system", "content": words("arena_hard.system.txt")}, {"role": "user", "content": pair}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, _MARKS, _OUTCOMES)
