"""A judge for small instruct models: two worked examples as earlier turns, a few words on each answer, a verdict that ends the text.

No paper has it. Models of a billion parameters and fewer copy a form that they are shown and seldom follow one that is described to them:
with the forms of other judges they repeat the list of marks, or leave the mark out (``docs/readers.md`` has the rates). So the form is
shown twice, once for each verdict, the verdict is a sentence that such a model writes anyway, and `stop` ends the text with it, before
a second one contradicts it. A few words of reasoning come first, so that there is something for reinforcement learning to improve.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .marks import GAP, read_marks
from .worded_judge import WordedJudge

_PAIR = "Question:\n{question}\n\nAnswer A:\n{first}\n\nAnswer B:\n{second}\n\n"
_ASK = (
    "Which answer is better, Answer A or Answer B? Say what a good answer says, what each answer says, and end with"
    ' "So Answer A is better." or "So Answer B is better."'
)
_EXAMPLES = (
    (
        ("What is the capital of France?", "Lyon.", "It is Paris."),
        "A good answer says Paris. Answer A says Lyon. Answer B says Paris. So Answer B is better.",
    ),
    (
        ("Which number is larger, 3 or 9?", "9", "3"),
        "A good answer says 9. Answer A says 9. Answer B says 3. So Answer A is better.",
    ),
)
_BRIEF_PAIR = "Question: {question}\nAnswer A: {first}\nAnswer B: {second}\nWhich answer is better?"
_BRIEF_REPLIES = ("It should say Paris. Answer B is better.", "It should say 9. Answer A is better.")
_BETTER = re.compile(
    r"(?<![\"'“‘«`])(?<![\"'“‘«`]So )"  # a verdict that is quoted was asked for, or is somebody else's; its end may be cut off
    rf"Answer{GAP}\s?([AB]){GAP}\s?is (?:the )?better(?: one| answer)?"
    r"(?=[\s\"'”’)]*(?:[.!,;:]|\n|\Z)|\s(?:because|as|since|than|overall)\b)",
    re.IGNORECASE,
)
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND}


class PairwisePlain(WordedJudge):
    """A short prompt with two examples, a sentence about each answer, and "Answer A is better." at the end; no ties."""

    use: Literal["pairwise-plain"] = "pairwise-plain"
    expects = "'Answer A is better' or B"
    verdicts = ("Answer A is better.", "Answer B is better.")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    """Sampling temperature; 0 is greedy, and then the smallest models name the same side every time."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 256
    """Tokens a judgement may take; one that takes more is *truncated*."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = verdicts
    """Strings that end a judgement and stay in its text; ``verdict`` = the verdict, in each of the words that the prompt asks for."""
    later: ClassVar[frozenset[str]] = WordedJudge.later | {"brief"}
    brief: bool = False
    """Half as long, prompt and judgement: for short answers that can be checked, and for training a small model on them."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        first, second = problem.answers if order == "given" else problem.answers[::-1]
        turns: list[Message] = []
        for (shown, reply), brief_reply in zip(_EXAMPLES, _BRIEF_REPLIES, strict=True):
            turns += [{"role": "user", "content": self._asked(*shown)}]
            turns += [{"role": "assistant", "content": brief_reply if self.brief else reply}]
        return [*turns, {"role": "user", "content": self._asked(problem.prompt, first, second)}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, (_BETTER,), _OUTCOMES)

    def _asked(self, question: str, first: str, second: str) -> str:
        form = _BRIEF_PAIR if self.brief else _PAIR + _ASK
        return form.format(question=question, first=first, second=second)
