"""What judges that have others judge share: how a judgement is sampled, the others say, and their options are set on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import model_validator

from adjudge import Judge, Message, Order, Outcome, Problem, Verdict
from adjudge_judges import needs_logprobs, tokens_at_most

THEIRS = ("temperature", "top_p", "stop", "on_too_long")
"""Options of a judge that those inside have, each its own."""


class JudgeOfJudges(Judge):
    """The base of judges that have others judge."""

    judges_by_parts: ClassVar[bool] = True

    def inner(self) -> Sequence[Judge]:
        """The judges inside; the last one is asked last."""
        raise NotImplementedError

    def most_tokens(self) -> int:
        """What stands for its `max_new_tokens`."""
        return sum(judge.max_new_tokens for judge in self.inner())

    def tokens_at_most(self) -> int:
        """Those of all judges inside."""
        return sum(map(tokens_at_most, self.inner()))

    @property
    def needs_logprobs(self) -> bool:
        """Whether one of those inside reads log-probabilities of given tokens."""
        return any(map(needs_logprobs, self.inner()))

    @property
    def expects(self) -> str:  # type: ignore[override]
        return " or ".join(dict.fromkeys(judge.expects for judge in self.inner() if judge.expects))

    @model_validator(mode="after")
    def _as_those_inside(self) -> Self:
        """Shown in the order of the judge that is asked last, with room for what all of them may write."""
        own = [name for name in THEIRS if getattr(self, name) != Judge.model_fields[name].default]
        if own:
            raise ValueError(f"{own[0]}: {self.use!r} samples nothing itself; set it on the judge inside")
        if "order" not in self.model_fields_set:
            self.__dict__["order"] = self.inner()[-1].order
        if "max_new_tokens" in self.model_fields_set and self.max_new_tokens != self.most_tokens():
            raise ValueError(f"max_new_tokens: {self.use!r} samples nothing itself; set it on the judge inside")
        self.__dict__["max_new_tokens"] = self.most_tokens()
        return self

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return self.inner()[-1].prompt(problem, order)

    def parse(self, text: str) -> Verdict:
        """As the first of those inside reads it that can."""
        read = (judge.parse(text) for judge in self.inner())
        return next((verdict for verdict in read if verdict.outcome.decided), Verdict(Outcome.UNREADABLE))


def asks_in_words(judge: Judge) -> Judge:
    """Validates a judge that is asked as it stands, and has nobody else judge."""
    if getattr(judge, "judges_by_parts", False) or needs_logprobs(judge):
        why = "thinking_budget" if isinstance(judge, Judge) and getattr(judge, "thinking_budget", None) else f"{judge.use!r}"
        raise ValueError(f"takes a judge that asks for its verdict in words, such as rrm, and not {why}")
    return judge


def calibrated(probability: float, temperature: float) -> float:
    """A probability with its log-odds divided by a temperature; above 1 it is less sure, and 0, 1/2 and 1 stay as they are."""
    import math

    from adjudge_judges import sigmoid

    if temperature == 1 or probability in (0.0, 1.0):
        return probability
    return sigmoid(math.log(probability / (1 - probability)) / temperature)


def swapped(order: Order) -> Order:
    """The other order."""
    return "swapped" if order == "given" else "given"
