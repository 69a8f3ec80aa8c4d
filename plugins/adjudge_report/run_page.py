"""Writes one self-contained page about a run: what ran, what came out with its uncertainty, plots, and judgements to read.

Everything comes from the files of the run folder, so an unfinished or a copied run can be reported too; what it lacks is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import write_whole

from .curves import curves_of, drawn
from .gather import RunFiles
from .judgements import sample_judgements
from .kappas import kappas
from .page import template
from .planned import compared
from .plots import OUTCOMES, SERIES, accuracy_plot, curve_plot, histogram, outcome_plot
from .ran import what_ran
from .selection import Scored, eligibility, means, measured_paths, scored_paths
from .siblings import families

FAMILIES = 3
"""Problems of every stage whose paths are shown beside each other."""


def write_run(folder: FilePath, samples: int) -> FilePath:
    """Write the page of a run folder with this many judgements in full, and return its file; raises `ConfigError` where there is no run."""
    run = RunFiles.read(folder)
    file = folder / "report.html"
    shown = {"judgements": sample_judgements(run, samples), "families": families(run, min(FAMILIES, samples))}
    write_whole(file, template("report.html.jinja").render(**_facts(run), **_plots(run), **shown))
    return file


def _facts(run: RunFiles) -> dict[str, Any]:
    import yaml

    return {
        "run": run,
        "title": run.folder.resolve().name,
        "ran": list(what_ran(run)),
        "planned": compared(run),
        "kappas": kappas(run),
        "tables": {name: _by_stage(run, name) for name in run.sets},
        "unlabelled": {name: counts for name in run.sets if (counts := _unlabelled(run, name))},
        "eligibility": eligibility(run),
        "config_text": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        "outcome_series": OUTCOMES,
        "set_series": {name: SERIES[index % len(SERIES)] for index, name in enumerate(run.sets)},
    }


def _by_stage(run: RunFiles, name: str) -> dict[str, Mapping[str, Any]]:
    """One set's evaluation by the name of the stage."""
    return {stage.name: stage.evaluation[name] for stage in run.complete if name in stage.evaluation}


def _unlabelled(run: RunFiles, name: str) -> tuple[int, int] | None:
    """Judgements of a set of which no label says whether they are right, and all of them; None where every one has a label."""
    labels = [record.get("label") for stage in run.complete[:1] for record in stage.records(f"evaluation-{name}")]
    return (labels.count(None), len(labels)) if None in labels else None


def _plots(run: RunFiles) -> dict[str, Any]:
    sets = {name: _by_stage(run, name) for name in run.sets}
    measured = {name: found for name, found in sets.items() if found}
    labelled = any(one.get("accuracy") is not None for found in measured.values() for one in found.values())
    return {
        "accuracy": accuracy_plot([stage.name for stage in run.complete], measured) if labelled else "",
        "training": [found for stage in run.stages if (found := drawn(stage.name, {"": curves_of(stage)}))],
        "policies": [curve_plot(stage.name, rows) for stage in run.stages if (rows := list(stage.records("curve")))],
        "outcomes": [outcome_plot(name, {stage: one["outcomes"] for stage, one in found.items()}) for name, found in measured.items()],
        "scores": [(scored, _histograms(scored), list(means(scored))) for scored in scored_paths(run)],
        "measured": measured_paths(run),
    }


def _histograms(scored: Scored) -> list[str]:
    """The score and its parts, those that have numbers."""
    titles: dict[str | None, str] = {None: scored.symbol, **{part: f"{part.replace('_', ' ')} part" for part in scored.parts}}
    sides = {title: (scored.values(True, part), scored.values(False, part)) for part, title in titles.items()}
    return [histogram(title, kept, dropped) for title, (kept, dropped) in sides.items() if kept or dropped]
