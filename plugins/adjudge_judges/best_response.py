"""The lettered way of asking: responses under letters, and ``Best Response: [A]`` as the verdict.

As in "Can You Trust LLM Judgments?" (arXiv 2412.12509), whose judges choose among six responses a hundred times over.
Different here: two responses, words of our own, and a careful reading: small models write the line in many ways, so a letter may
stand in brackets, parentheses or stars, but a bare letter counts only when what follows shows that it is not an article.
"""

from __future__ import annotations

import re
from typing import Literal

from adjudge import Message, Order, Outcome, Problem, Span, Verdict

from .marks import GAP, read_marks, read_statement
from .templates import filled
from .worded_judge import WordedJudge

_ENDS = r"(?=[\"'`“”‘’_}$]{0,3}(?:\s*\Z|[^\S\n]*\n|[.,;!)](?:\s|\Z)|\s(?-i:because|since|as it)\b))"
"""What follows a letter that is no article."""
_LINE = re.compile(
    rf"best response(?: is)?{GAP}:?{GAP}(?:(?:response|answer|assistant|option)\s)?"
    r"(?:\[\[\s?([A-Z])\s?\]\]|\[\s?([A-Z])\s?\]|\(\s?([A-Z])\s?\)|(?<=[\W_])([A-Z])" + _ENDS + ")",
    re.IGNORECASE,
)
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND}


class BestResponse(WordedJudge):
    """Two lettered responses and a line that names the best one; no ties."""

    use: Literal["best-response"] = "best-response"
    expects = "'Best Response: [A]' or [B]"
    verdicts = ("Best Response: [A]", "Best Response: [B]")

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "user", "content": filled("best_response.user.txt", problem, order)}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, (_LINE,), _OUTCOMES)


def best_letter(text: str) -> tuple[str, Span] | None:
    """The letter that a text names as the best response, and where it does; None where it names none, or two."""
    return read_statement(text, (_LINE,), str)
