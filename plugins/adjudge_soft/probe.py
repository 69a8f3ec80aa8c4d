"""A probe of probabilities: whether a judge that says it is 80% sure is right four times in five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from adjudge import Probe, Problem, ReasoningPath
from adjudge_health import metric

from .calibration import calibration_error, forecasts, reliability


class Calibration(Probe):
    """Brier score and expected calibration error of a judge's own probabilities; nothing where it tells none."""

    use: Literal["calibration"] = "calibration"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """The Brier score over problems, each by the mean of its judgements; the error over all of them; its bins."""
        of: dict[str, list[ReasoningPath]] = {}
        for path in paths:
            of.setdefault(path.problem_id, []).append(path)
        by_problem = [made for problem in problems if (made := forecasts([problem], of.get(problem.id, [])))]
        scores = [sum((share - first) ** 2 for share, first in made) / len(made) for made in by_problem]
        whole = [forecast for made in by_problem for forecast in made]
        return {
            "brier_score": metric(scores),
            "calibration_error": {"value": calibration_error(whole), "n": len(by_problem), "interval": None},
            "bins": [asdict(one) for one in reliability(whole)],
        }
