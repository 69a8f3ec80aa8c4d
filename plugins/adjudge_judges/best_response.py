"""The lettered way of asking: responses under letters, and ``Best Response: [A]`` as the verdict.

As in "Can You Trust LLM Judgments?" (arXiv 2412.12509), whose judges choose among six responses a hundred times over.
Different here: two responses, words of our own, and a strict reading: small models write the line in many ways, so a letter may
stand in brackets, parentheses or stars, but a bare letter counts only when something after it shows that it is not the first of a word.
"""

from __future__ import annotations

import re
from typing import Literal

from adjudge import Judge, Message, Order, Outcome, Problem, Span, Verdict

from .marks import end_of_thinking
from .templates import filled

_LINE = re.compile(
    r"(?i:best response)(?: is)?:?\**:?\s{0,2}\**(?:\[\[([A-Z])\]\]|\[([A-Z])\]|\(([A-Z])\)|(?<=[:\s*])([A-Z])(?=\*\*|\n|[.,]\s))"
)
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND}


class BestResponse(Judge):
    """Two lettered responses and a line that names the best one; no ties."""

    use: Literal["best-response"] = "best-response"
    expects = "'Best Response: [A]' or [B]"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "user", "content": filled("best_response.user.txt", problem, order)}]

    def parse(self, text: str) -> Verdict:
        found = best_letter(text)
        if found is None or found[0] not in _OUTCOMES:
            return Verdict(Outcome.UNREADABLE)
        letter, (start, stop) = found
        return Verdict(_OUTCOMES[letter], reasoning=(0, start), answer=(start, stop))


def best_letter(text: str) -> tuple[str, Span] | None:
    """The letter that every line "Best Response" names, and where the last one stands; None where there is none, or where two differ."""
    lines = list(_LINE.finditer(text, end_of_thinking(text)))
    letters = {next(filter(None, line.groups())) for line in lines}
    return (letters.pop(), lines[-1].span()) if len(letters) == 1 else None
