"""What a judge's own judgements tell about it: accuracy, position, length, votes and agreement, each with n and a 95% interval.

The unit of every figure is the problem, so that many samples of one problem do not pass for many problems. Failed judgements are counted
and never scored: what rests on verdicts rests on those that decide, and says on how many problems.
"""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.benchmark import Judged, Judgement
from adjudge.components import Metrics
from adjudge.records import Outcome, Path, Problem

from .length import length
from .position import accuracy, position
from .probes import ProbeAsks, plan_probes, probed
from .units import figure, mean_of
from .votes import agreement, votes

__all__ = ["ProbeAsks", "health", "judged_by", "plan_probes", "probed"]


def health(judged: Sequence[Judged]) -> Metrics:
    """The report on all judgements of these pairs; a part for which there is nothing has figures of None over n = 0."""
    said = [one for item in judged for one in item.judgements]
    labelled = [item for item in judged if item.problem.label is not None]
    tokens = [one.tokens for one in said if one.tokens]
    return {
        "problems": len(judged),
        "judgements": len(said),
        "mean_tokens": mean_of(tokens) if tokens else None,
        "outcomes": {outcome.value: figure(_shares(judged, outcome)) for outcome in Outcome},
        "accuracy": accuracy(labelled),
        "position": position(judged),
        "length": length(judged),
        "votes": votes(labelled),
        "agreement": agreement(judged),
    }


def _shares(judged: Sequence[Judged], outcome: Outcome) -> list[float]:
    """For every problem, the share of its judgements that came out like this."""
    return [mean_of(float(one.outcome == outcome) for one in item.judgements) for item in judged if item.judgements]


def judged_by(problems: Sequence[Problem], paths: Sequence[Path]) -> list[Judged]:
    """Every problem with the judgements of it among these paths."""
    found: dict[str, list[Judgement]] = {problem.id: [] for problem in problems}
    for path in paths:
        made = path.completion
        one = Judgement(path.problem_id, path.outcome, 0, 1, path.order, path.index, made.text, len(made.token_ids), made.error, path.id)
        found[path.problem_id].append(one)
    return [Judged(problem, tuple(found[problem.id])) for problem in problems]
