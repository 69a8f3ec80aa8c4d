"""What the pool itself says: the answer that most paths name, over all of them, or in each of the two orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Eligibility, Outcome, Problem, ReasoningPath, Session

from .texts import by_problem

ANSWERS = (Outcome.FIRST, Outcome.SECOND)


def consensus(paths: Iterable[ReasoningPath], share: float = 0.0) -> Outcome | None:
    """The answer that more paths name than the other one, as *first* or *second* in the problem's own order.

    None where both are named alike often, or where fewer than `share` of the judgements that came back name it; ties, and judgements
    that are unreadable or truncated, came back and name none."""
    counts = Counter[Outcome](path.outcome for path in paths if path.outcome != Outcome.FAILED)
    first, second = (counts[outcome] for outcome in ANSWERS)
    if first == second or max(first, second) < share * counts.total():
        return None
    return ANSWERS[second > first]


class Majority(Eligibility):
    """The paths that name the answer which most paths of their problem name (TTRL's pseudo-label, 2504.16084); none where it is a draw."""

    needs: ClassVar[str] = "several paths of a problem"
    use: Literal["majority"] = "majority"
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least share of a problem's judgements that has to name the answer; 0 = more than name the other one."""

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        told: list[bool] = []
        for _, some in by_problem(paths):
            answer = consensus(some, self.share)
            told += [answer is not None and path.outcome == answer for path in some]
        return told


class BothOrders(Eligibility):
    """The paths that name an answer which most paths name in each order, shown first and shown second: no position speaks for it."""

    needs: ClassVar[str] = "paths in both orders"
    use: Literal["both-orders"] = "both-orders"
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least share of the judgements in an order that has to name the answer; 0 = more than name the other one."""

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        told: list[bool] = []
        for _, some in by_problem(paths):
            given, swapped = (consensus((path for path in some if path.order == order), self.share) for order in ("given", "swapped"))
            told += [given is not None and given == swapped == path.outcome for path in some]
        return told
