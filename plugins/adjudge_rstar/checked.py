"""The scores that any path scorer makes of paths, checked where they come out of its plugin, and what a scorer is asked with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adjudge import Judge, PathScorer, PluginError, Problem, ReasoningPath, Score, Session, boundary, number_or_none


class ScoringSession:
    """A session as scorers and eligibility rules are given it: the open model, and besides who asks and what else there is."""

    def __init__(self, session: Session, judge: Judge, pool: Sequence[ReasoningPath] = ()) -> None:
        self.session, self.judge = session, judge
        self.pool = pool
        """All paths of the problem, those that may not be chosen included; read when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def score_paths(
    scorer: PathScorer,
    problem: Problem,
    paths: Sequence[ReasoningPath],
    session: Session,
    judge: Judge | None = None,
    pool: Sequence[ReasoningPath] | None = None,
) -> list[Score]:
    """A scorer's scores, checked: one for each path, in order.

    With a `judge` the scorer's session is a `ScoringSession`, whose `pool` are the paths themselves where no other is named."""
    asked: Any = session if judge is None else ScoringSession(session, judge, paths if pool is None else pool)
    with boundary(scorer, "score"):
        scores = list(scorer.score(problem, paths, asked))
    if [getattr(score, "path_id", None) for score in scores] != [path.id for path in paths]:
        raise PluginError(
            f"path scorer {scorer.use!r} ({type(scorer).__module__}.{type(scorer).__qualname__}) returned {len(scores)} scores for"
            f" {len(paths)} paths of problem {problem.id}.\n  Remedy: return one Score per path, in order, with the path's id."
        )
    return [replace(score, value=number_or_none(scorer, "score", score.value), parts=_parts(scorer, score)) for score in scores]


def _parts(scorer: PathScorer, score: Score) -> dict[str, float]:
    """The parts that are numbers; one that does not apply is left out."""
    found = {str(name): number_or_none(scorer, "score", value, f"the part {name!r}") for name, value in score.parts.items()}
    return {name: value for name, value in found.items() if value is not None}
