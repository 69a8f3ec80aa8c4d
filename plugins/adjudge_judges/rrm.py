r"""RRM's way of judging: rules, query, both responses, an analysis at length, and the verdict in a box.

The Reward Reasoning Model's evaluation (arXiv 2505.14674) asks for exactly one of two responses, never for a tie, and reads the last
``\boxed{Assistant 1}`` or ``\boxed{Assistant 2}``; it decodes at temperature 0.6 with at most 8,192 new tokens and shuffles the order.
Different here: the words of both prompts are our own, a prompt may be a whole conversation (as text); a box that stands in the thinking,
with none after it, is no verdict, nor is one that repeats the instructions; of two that differ the last counts where the text says
that it does (`statements`); a box may be written in other ways that a person would read, one with a number alone only at the end, where it
cannot be the solution of a sum.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .marks import GAP, read_marks
from .templates import filled, words
from .worded_judge import WordedJudge

_NAMED = r"(?:assistant|response|助手)"
_MORE = r"(?:\s(?:is|wins)\b[^{}\n]{0,40})?[.!,]?"
_MARKS = (
    re.compile(rf"\\{{0,2}}f?boxe?d?\s?\{{{GAP}{_NAMED}{GAP}([12]){GAP}{_MORE}{GAP}\}}", re.IGNORECASE),
    re.compile(rf"\\{{0,2}}f?boxe?d?\s?\{{{GAP}([12]){GAP}\.?\}}(?=\W*\Z)", re.IGNORECASE),
)
_OUTCOMES = {"1": Outcome.FIRST, "2": Outcome.SECOND}


class Rrm(WordedJudge):
    """RRM's prompt: five rules, two responses, an analysis, the verdict in a box; no ties."""

    use: Literal["rrm"] = "rrm"
    expects = "\\boxed{Assistant 1} or \\boxed{Assistant 2}"
    verdicts = ("\\boxed{Assistant 1}", "\\boxed{Assistant 2}")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    """Sampling temperature; 0 is greedy."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 8192
    """Tokens a judgement may take, thinking included; one that takes more is *truncated*."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "system", "content": words("rrm.system.txt")}, {"role": "user", "content": filled("rrm.user.txt", problem, order)}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, _MARKS, _OUTCOMES)
