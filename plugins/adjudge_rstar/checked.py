"""The scores that any path scorer makes of paths, checked where they come out of its plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adjudge import PathScorer, PluginError, Problem, ReasoningPath, Score, Session, boundary, number_or_none


def score_paths(scorer: PathScorer, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
    """A scorer's scores, checked: one for each path, in order."""
    with boundary(scorer, "score"):
        scores = list(scorer.score(problem, paths, session))
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
