"""Scores from what the other paths of a problem say; those that may not be chosen have a voice, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from adjudge import Outcome, PathScorer, Problem, ReasoningPath, Score, Session


def pool_of(session: Any, paths: Sequence[ReasoningPath]) -> list[ReasoningPath]:
    """All judgements of the problem that came back; the scored paths alone, where nobody told of others."""
    return [path for path in (getattr(session, "pool", None) or paths) if path.outcome != Outcome.FAILED]


class VoteShare(PathScorer):
    """The share of all judgements of the problem that give this path's verdict, in [0, 1] (TTRL's pseudo-label as a score, 2504.16084).

    Unreadable and truncated judgements are counted and give none. With `eligible: label` all paths that are scored have one verdict, and so
    one score; it tells paths apart where verdicts differ. No label is needed."""

    needs: ClassVar[str] = "several paths of a problem"
    use: Literal["vote-share"] = "vote-share"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        pool = pool_of(session, paths)
        return [_share(path, [one.outcome for one in pool]) for path in paths]


class OrderAgreement(PathScorer):
    """The share of the judgements in the other order that name this path's answer, in [0, 1]: J1's consistency (2505.10320) as a score.

    With one path in each order it is 1 where both name the same answer, and else 0. A path of which the other order says nothing has no
    score, for example with `judge.order: fixed`. No label is needed."""

    needs: ClassVar[str] = "paths in both orders"
    use: Literal["order-agreement"] = "order-agreement"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        pool = pool_of(session, paths)
        return [_share(path, [one.outcome for one in pool if one.order != path.order]) for path in paths]


def _share(path: ReasoningPath, outcomes: Sequence[Outcome]) -> Score:
    """How often this path's verdict stands among these."""
    if not outcomes or not path.outcome.decided:
        return Score(path.id, None)
    return Score(path.id, outcomes.count(path.outcome) / len(outcomes), {"judgements": float(len(outcomes))})
