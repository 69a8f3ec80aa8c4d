r"""RRM's way of judging: rules, query, both responses, an analysis at length, and the verdict in a box.

The Reward Reasoning Model's evaluation (arXiv 2505.14674) asks for exactly one of two responses, never for a tie, and reads the last
``\boxed{Assistant 1}`` or ``\boxed{Assistant 2}``; it decodes at temperature 0.6 with at most 8,192 new tokens and shuffles the order.
Different here: the words of both prompts are our own, a prompt may be a whole conversation (as text), and a box that stands in the
thinking, with none after ``</think>``, is no verdict.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Judge, Message, Order, Outcome, Problem, Verdict

from .marks import end_of_thinking
from .templates import filled, words

_BOX = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{\s*Assistant\s*([12])\s*\}|Assistant\s*([12]))\s*\}")


class Rrm(Judge):
    """RRM's prompt: five rules, two responses, an analysis, the verdict in a box; no ties."""

    use: Literal["rrm"] = "rrm"
    expects = "\\boxed{Assistant 1} or \\boxed{Assistant 2}"
    temperature: Annotated[float, Field(ge=0)] = 0.6
    """Sampling temperature; 0 is greedy."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 8192
    """Tokens a judgement may take, thinking included; one that takes more is *truncated*."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "system", "content": words("rrm.system.txt")}, {"role": "user", "content": filled("rrm.user.txt", problem, order)}]

    def parse(self, text: str) -> Verdict:
        boxes = list(_BOX.finditer(text, end_of_thinking(text)))
        if not boxes:
            return Verdict(Outcome.UNREADABLE)
        outcome = Outcome.FIRST if "1" in boxes[-1].groups() else Outcome.SECOND
        return Verdict(outcome, reasoning=(0, boxes[-1].start()), answer=boxes[-1].span())
