r"""The embedded worlds' terse form: what a very small judge can read and write.

No paper has it. The question is the prompt, such as ``37+48``, and two numbered answers; the judgement works it out and ends in RRM's box.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .worded_judge import WordedJudge

_BOX = re.compile(r"\\boxed\{Assistant ([12])\}")


class ArithmeticJudge(WordedJudge):
    """The embedded worlds' terse form: the question, two numbered answers, written work, comparisons in words, a boxed verdict."""

    use: Literal["arithmetic"] = "arithmetic"
    expects = "\\boxed{Assistant 1} or \\boxed{Assistant 2}"
    verdicts = ("\\boxed{Assistant 1}", "\\boxed{Assistant 2}")
    max_new_tokens: Annotated[int, Field(gt=0)] = 112
    """Tokens a judgement may take; leaves room beyond a sound one of five digits."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        first, second = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": f"{problem.prompt}\n1:{first}\n2:{second}"}]

    def parse(self, text: str) -> Verdict:
        boxes = list(_BOX.finditer(text))
        if len({box[1] for box in boxes}) != 1:  # none, or two that contradict each other
            return Verdict(Outcome.UNREADABLE)
        start, stop = boxes[-1].span()
        outcome = Outcome.FIRST if boxes[-1][1] == "1" else Outcome.SECOND
        return Verdict(outcome, reasoning=(0, start), answer=(start, stop))
