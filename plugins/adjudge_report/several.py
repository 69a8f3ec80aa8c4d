"""Writes one page about several runs: their accuracies in one table, the curves of their stages on one axis, and what differs in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge import write_whole

from .curves import StageCurves, curves_of, drawn
from .gather import RunFiles
from .page import template
from .plots import SERIES, accuracy_plot
from .ran import options_text

ABSENT = "–"
WITHOUT_EFFECT = {"out", "reporters"}
"""Fields of a run file that no result depends on."""


def write_several(folders: Sequence[FilePath], file: FilePath) -> FilePath:
    """Write the page and return its file; raises `ConfigError` for a folder that holds no run."""
    runs = dict(zip(names_of(folders), map(RunFiles.read, folders), strict=True))
    sets = list(dict.fromkeys(name for run in runs.values() for name in run.sets))
    facts = {
        "runs": runs,
        "series": {name: SERIES[index % len(SERIES)] for index, name in enumerate(runs)},
        "tables": {name: found for name in sets if (found := _evaluations(runs, name))},
        "accuracies": {name: plot for name in sets if (plot := _accuracies(runs, name))},
        "training": list(_training(runs)),
        "differences": list(differences([run.config for run in runs.values()])),
        "pages": {name: page for name, run in runs.items() if (page := _page(run, file))},
    }
    write_whole(file, template("several.html.jinja").render(**facts))
    return file


def names_of(folders: Sequence[FilePath]) -> list[str]:
    """A name for every folder: its own, with as much of the path before it as tells it from the others."""
    parts = [folder.resolve().parts for folder in folders]
    for size in range(1, max(map(len, parts)) + 1):
        names = [FilePath(*one[-size:]).as_posix() for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({place})" for place, name in enumerate(names, 1)]


def stages_of(runs: Mapping[str, RunFiles]) -> list[str]:
    """The stages' names of all runs, in the order of their numbers."""
    names = dict.fromkeys(stage.name for run in runs.values() for stage in run.stages)
    return sorted(names, key=lambda name: int(name.split("-")[0]))


def _evaluations(runs: Mapping[str, RunFiles], name: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Stage, run, and what was found on one set: runs stand below each other, a stage at a time."""
    found: list[tuple[str, str, Mapping[str, Any]]] = []
    for stage in stages_of(runs):
        for label, run in runs.items():
            of_stage = {one.name: one.evaluation for one in run.complete}.get(stage, {})
            if name in of_stage:
                found.append((stage, label, of_stage[name]))
    return found


def _accuracies(runs: Mapping[str, RunFiles], name: str) -> str:
    by_run = {
        label: {stage.name: found for stage in run.complete if (found := stage.evaluation.get(name)) and found.get("accuracy") is not None}
        for label, run in runs.items()
    }
    used = [stage for stage in stages_of(runs) if any(stage in of_run for of_run in by_run.values())]
    return accuracy_plot(used, by_run) if used else ""


def _training(runs: Mapping[str, RunFiles]) -> Iterator[StageCurves]:
    for name in stages_of(runs):
        curves = {label: next((curves_of(stage) for stage in run.stages if stage.name == name), {}) for label, run in runs.items()}
        if found := drawn(name, curves):
            yield found


def differences(values: Sequence[Any], place: str = "") -> Iterator[tuple[str, list[str]]]:
    """Options that are not the same in all run files, by their place there, with each run's own value."""
    if all(value == values[0] for value in values):
        return
    if all(isinstance(value, Mapping) for value in values) and len({value.get("use") for value in values}) == 1:
        for key in dict.fromkeys(key for value in values for key in value):
            yield from differences([value.get(key, ABSENT) for value in values], f"{place}.{key}" if place else str(key))
    elif all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        for index, items in enumerate(zip(*values, strict=True)):
            yield from differences(items, f"{place}.{index}")
    elif place not in WITHOUT_EFFECT:
        yield place, [options_text(value) for value in values]


def _page(run: RunFiles, file: FilePath) -> str:
    """Where a run's own page lies, seen from this one; nothing where it has none."""
    page = run.folder / "report.html"
    return FilePath(os.path.relpath(page, file.resolve().parent)).as_posix() if page.is_file() else ""
