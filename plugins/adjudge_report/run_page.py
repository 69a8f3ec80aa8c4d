"""Writes one self-contained page about a run: what ran, what came out with its uncertainty, plots, and judgements to read.

Everything comes from the files of the run folder, so an unfinished or a copied run can be reported too; what it lacks is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge import write_whole

from .gather import RunFiles, StageFiles
from .judgements import sample_judgements
from .kappas import kappas
from .page import template
from .planned import compared
from .plots import OUTCOMES, SERIES, accuracy_plot, curve_plot, histogram, outcome_plot, reward_plot
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
        "ran": list(_what_ran(run)),
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


def _what_ran(run: RunFiles) -> Iterator[tuple[str, str]]:
    """Name and value of every fact about the run that a reader wants before any number."""
    config = run.config
    yield "Model", config["model"]
    yield "Stages", " → ".join(options_line(stage) for stage in config["stages"]) or "none: the judge as it came"
    yield "Judge", options_line(run.judge) if run.judge else "as the model's judge.json says"
    yield "Trained on", options_line(config["data"])
    for name, dataset in config.get("evaluation", {}).get("sets", {}).items():
        yield f"Measured on {name}", options_line(dataset)
    yield "Engine", options_line(config["engine"])
    yield "Seed", str(config["seed"])
    if run.starts:
        yield from _machine(run.starts)


def _machine(starts: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    last = starts[-1]
    yield "Command", " ".join(last.get("command", []))
    yield "Started", starts[0]["time"] + (f", and {len(starts) - 1} times more after a stop" if len(starts) > 1 else "")
    versions = {"python": last.get("python"), **last.get("versions", {})}
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield "Plugins", ", ".join(last.get("plugins", []))
    for source, reason in last.get("broken_plugins", {}).items():
        yield "Plugin not loaded", f"{source}: {reason}"
    yield "Machine", str(last.get("machine"))
    yield "Commit", last.get("git_commit") or "not in a checkout"


def options_line(component: Mapping[str, Any]) -> str:
    """A component on one line: its name, then its options."""
    options = ", ".join(f"{key} {_short(value)}" for key, value in component.items() if key != "use")
    return f"{component['use']} ({options})" if options else str(component["use"])


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return options_line(value) if "use" in value else ", ".join(f"{key} {_short(one)}" for key, one in value.items())
    if isinstance(value, list):
        return f"[{', '.join(_short(one) for one in value)}]"
    text = "none" if value is None else str(value) or "''"
    return text if len(text) <= 60 else text[:59] + "…"


def _plots(run: RunFiles) -> dict[str, Any]:
    sets = {name: _by_stage(run, name) for name in run.sets}
    measured = {name: found for name, found in sets.items() if found}
    labelled = any(one.get("accuracy") is not None for found in measured.values() for one in found.values())
    return {
        "accuracy": accuracy_plot([stage.name for stage in run.complete], measured) if labelled else "",
        "rewards": _reward_plots(run),
        "curves": [curve_plot(stage.name, rows) for stage in run.stages if (rows := list(stage.records("curve")))],
        "outcomes": [outcome_plot(name, {stage: one["outcomes"] for stage, one in found.items()}) for name, found in measured.items()],
        "scores": [(scored, _histograms(scored), list(means(scored))) for scored in scored_paths(run)],
        "measured": measured_paths(run),
    }


def _reward_plots(run: RunFiles) -> list[str]:
    """A plot for every stage that recorded rewards, all on one scale."""
    curves = {stage.name: points for stage in run.stages if varies(points := sorted(_rewards(stage)))}
    rewards = [reward for points in curves.values() for _, reward in points]
    limits = (min([*rewards, -1.0]) - 0.05, max([*rewards, 1.0]) + 0.05)
    return [reward_plot(name, points, limits) for name, points in curves.items()]


def varies(points: Sequence[tuple[int, float]]) -> bool:
    """Whether there is anything to see: standardised rewards, for one, have the mean 0 in every group."""
    values = [value for _, value in points]
    return bool(values) and (len(values) == 1 or max(values) - min(values) > 1e-6)


def _rewards(stage: StageFiles) -> Iterator[tuple[int, float]]:
    """Step and mean reward, where there is one."""
    for row in stage.records("steps"):
        if row.get("reward") is not None and math.isfinite(row["reward"]):
            yield int(row["step"]), float(row["reward"])


def _histograms(scored: Scored) -> list[str]:
    """The score and its parts, those that have numbers."""
    titles: dict[str | None, str] = {None: scored.symbol, **{part: f"{part} part" for part in scored.parts}}
    sides = {title: (scored.values(True, part), scored.values(False, part)) for part, title in titles.items()}
    return [histogram(title, kept, dropped) for title, (kept, dropped) in sides.items() if kept or dropped]
