"""Says so where a judge writes nothing that can be read as a verdict: early, and once more at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from adjudge import JobError, Judge, Outcome

FIRST, LEAST = 20, 0.1
"""After so many judgements it is told if a smaller share of them has a verdict."""
REMEDY = (
    "Remedy: 'adjudge doctor --model MODEL' finds a judge that this model can follow; or write another one as judge, for example"
    " --judge pairwise-plain."
)


class Readability:
    """Counts the first judgements of a judge that came back."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.outcomes: list[Outcome] = []

    def add(self, outcome: Outcome, text: str) -> str | None:
        """Count one; the warning that it is time for, if it is."""
        if len(self.outcomes) == FIRST or outcome == Outcome.FAILED:
            return None
        self.outcomes.append(outcome)
        if len(self.outcomes) < FIRST or sum(one.decided for one in self.outcomes) >= LEAST * FIRST:
            return None
        return f"of the first {FIRST} judgements, {_told(self.judge, self.outcomes)}. One of them ends: {text[-200:]!r}\n  {REMEDY}"


def check_readable(judge: Judge, outcomes: Iterable[Outcome], remedy: str = REMEDY) -> None:
    """Raise `JobError`, with what may help, where judgements came back and none of them could be read."""
    back = [outcome for outcome in outcomes if outcome != Outcome.FAILED]
    if back and not any(outcome.decided for outcome in back):
        raise JobError(f"none of the judgements is a verdict: of {len(back)}, {_told(judge, back)}.\n  {remedy}")


def _told(judge: Judge, outcomes: Iterable[Outcome]) -> str:
    """How many can be read, what became of the others, and what a verdict would have been."""
    counts = Counter(outcomes)
    read = sum(count for outcome, count in counts.items() if outcome.decided)
    others = ", ".join(f"{counts[one]} {one.value}" for one in (Outcome.UNREADABLE, Outcome.TRUNCATED) if counts[one])
    form = f"; judge {judge.use!r} reads {judge.expects}" if judge.expects else f" by judge {judge.use!r}"
    return f"{read} could be read ({others}{form})"
