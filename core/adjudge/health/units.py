"""What every part of a health report is made with: figures over problems, and how one judgement is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from adjudge.benchmark import Judged, Judgement
from adjudge.figures import share
from adjudge.records import Outcome

WORTH = {Outcome.FIRST: 1.0, Outcome.TIE: 0.5, Outcome.SECOND: 0.0}
"""What a decided verdict is worth for the answer that stands first in the problem."""


def figure(values: Sequence[float]) -> dict[str, Any]:
    """The mean of one value in [0, 1] for every problem."""
    found = share("", values)
    return {"value": found.value, "n": found.n, "interval": found.interval}


def mean_of(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def shown(one: Judgement) -> Outcome:
    """The outcome in the order in which the pair was shown."""
    return one.outcome.mirrored if one.order == "swapped" else one.outcome


def preference(item: Judged) -> float | None:
    """The mean worth of the verdicts for the first answer, in [0, 1]; None where none decides."""
    decided = [WORTH[one.outcome] for one in item.judgements if one.outcome.decided]
    return mean_of(decided) if decided else None


def is_right(item: Judged, one: Judgement) -> bool:
    return one.outcome == (Outcome.FIRST, Outcome.SECOND)[item.problem.label or 0]
