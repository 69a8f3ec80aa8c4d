"""One sample of a pair, asked in one order or both: its requests, and what its judgements come to together."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge import JudgeRequest, ReasoningPath
from adjudge_judges import probability_of


def samples_of(requests: Sequence[JudgeRequest]) -> list[list[JudgeRequest]]:
    """The requests, those of one sample together, as `build_requests` has them one after the other."""
    found: list[list[JudgeRequest]] = []
    for one in requests:
        last = found[-1] if found else []
        same = bool(last) and (last[0].problem, last[0].index) == (one.problem, one.index)
        if same and one.order not in [other.order for other in last]:
            last.append(one)
        else:
            found.append([one])
    return found


def share_of(sample: Sequence[ReasoningPath]) -> float | None:
    """How probable it is that the problem's first answer is better, in the mean of the orders; None where one decides nothing.

    A judgement that tells no probability counts as it was decided."""
    if not all(path.outcome.decided for path in sample):
        return None
    shares = [path.outcome.points if (known := probability_of(path)) is None else known for path in sample]
    return sum(shares) / len(shares)
