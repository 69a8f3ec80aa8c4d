"""Cohen's κ of every evaluation of a run, from its records, so that no accuracy stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from adjudge import Outcome
from adjudge_figures import Unit, cohen_kappa, unit

from .gather import RunFiles, StageFiles


def kappas(run: RunFiles) -> dict[str, dict[str, Mapping[str, Any]]]:
    """By set and stage, of the stages that are complete; κ is None where it is not defined."""
    return {
        name: {stage.name: _kappa(stage, name) for stage in run.complete if stage.evaluation.get(name, {}).get("accuracy") is not None}
        for name in run.sets
    }


def _kappa(stage: StageFiles, name: str) -> Mapping[str, Any]:
    """A sample that is asked in both orders waits for its other half, and counts once; one with a failed call counts nowhere."""
    both = "consistency" in stage.evaluation[name]
    units, waiting = Counter[Unit](), dict[tuple[str, int], tuple[Outcome, bool]]()
    for record in stage.records(f"evaluation-{name}"):
        if record.get("label") is None:
            continue
        key, said = (record["problem_id"], record["index"]), (Outcome(record["outcome"]), record["order"] == "swapped")
        if both and key not in waiting:
            waiting[key] = said
            continue
        sample = [waiting.pop(key), said] if both else [said]
        if all(outcome != Outcome.FAILED for outcome, _ in sample):
            units[unit(Outcome(record["label"]), [outcome for outcome, _ in sample], [swapped for _, swapped in sample])] += 1
    return cohen_kappa(units)
