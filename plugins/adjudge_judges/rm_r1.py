"""RM-R1's way of judging: name the kind of question, write a rubric or solve the problem first, compare, ``<answer>[[A]]</answer>``.

The paper (arXiv 2505.02387) has a system turn for models tuned to follow instructions, with tags for every step, and one turn for the
user alone for models distilled from a reasoner; it trains with at most 8,192 new tokens. Its authors' evaluation scripts decode greedily
and show the pair in a random order. The reward in their code looks for the tag in the last 80 characters, their evaluation for ``[[A]]``
anywhere.
Different here: the words of the prompts are our own; a verdict stands after the thinking, and not in a solution, a rubric or a quotation;
``[[A]]`` without its tag counts where no tag does; of two that differ the last counts where the text says so (`statements`).
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
    re.compile(
        rf"<answer>{GAP}(?:\[\[{GAP}(?:chatbot\s)?([AB]){GAP}\]\](?:{GAP}</answer>)?|(?:chatbot\s)?([AB]){GAP}</answer>)", re.IGNORECASE
    ),
    re.compile(rf"\[\[{GAP}(?:chatbot\s)?([AB]){GAP}\]\]", re.IGNORECASE),
)
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND}


class RmR1(WordedJudge):
    """RM-R1's prompt: a rubric or an own solution before the comparison, the verdict in an answer tag; no ties."""

    use: Literal["rm-r1"] = "rm-r1"
    expects = "<answer>[[A]]</answer> or <answer>[[B]]</answer>"
    verdicts = ("<answer>[[A]]</answer>", "<answer>[[B]]</answer>")
    form: Literal["instruct", "reasoning"] = "instruct"
    """Whether a system turn lays down every step, or a reasoning model is asked in the user's turn and thinks as it likes."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Sampling temperature; 0 is greedy, as in its authors' evaluation."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 8192
    """Tokens a judgement may take, thinking included; one that takes more is *truncated*."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("rm_r1.user.txt", problem, order)
        if self.form == "reasoning":
            return [{"role": "user", "content": f"{words('rm_r1.reasoning.txt')}\n\n{pair}"}]
        return [{"role": "system", "content": words("rm_r1.system.txt")}, {"role": "user", "content": pair}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, _MARKS, _OUTCOMES)
