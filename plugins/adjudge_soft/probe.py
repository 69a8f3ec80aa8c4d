"""A probe of probabilities: whether a judge that says it is 80% sure is right four times in five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from adjudge import Probe, Problem, ReasoningPath
from adjudge_health import metric

from .calibration import BINS, Forecast, calibration_error, cross_fitted, forecasts, reliability


class Calibration(Probe):
    """Brier score and expected calibration error of a judge's own probabilities, as told and calibrated; nothing where it tells none."""

    use: Literal["calibration"] = "calibration"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """The Brier score over problems, each by the mean of its judgements; the error over all of them; its bins.

        ``calibrated`` is the same with a temperature that was fitted on the other half of the problems; ``temperature`` is of all."""
        of: dict[str, list[ReasoningPath]] = {}
        for path in paths:
            of.setdefault(path.problem_id, []).append(path)
        by_problem = [made for problem in problems if (made := forecasts([problem], of.get(problem.id, [])))]
        found = _figures(by_problem)
        if (mended := cross_fitted(by_problem)) is None:
            return found
        after = _figures(mended.forecasts)
        return {
            **found,
            "brier_score_calibrated": after["brier_score"],
            "calibration_error_calibrated": after["calibration_error"],
            "temperature": {"value": mended.temperature, "n": len(by_problem), "interval": None},
            "bins_calibrated": after["bins"],
        }


def _figures(by_problem: Sequence[Sequence[Forecast]]) -> dict[str, Any]:
    scores = [sum((share - first) ** 2 for share, first in made) / len(made) for made in by_problem]
    whole = [forecast for made in by_problem for forecast in made]
    intervals = _intervals(by_problem)
    return {
        "brier_score": metric(scores),
        "calibration_error": {"value": calibration_error(whole), "n": len(by_problem), "interval": None},
        "bins": [{**asdict(one), "interval": interval} for one, interval in zip(reliability(whole), intervals, strict=True)],
    }


def _intervals(by_problem: Sequence[Sequence[Forecast]]) -> list[Any]:
    """Of the share right in every bin, over problems: two orders of one problem are no two problems."""
    rights: dict[int, list[float]] = {}
    for made in by_problem:
        own: dict[int, list[Forecast]] = {}
        for share, first in made:
            own.setdefault(min(BINS - 1, int((max(share, 1 - share) - 0.5) * 2 * BINS)), []).append((share, first))
        for place, some in own.items():
            rights.setdefault(place, []).append(sum(one.right * one.n for one in reliability(some)) / len(some))
    return [metric(some)["interval"] for _, some in sorted(rights.items())]
