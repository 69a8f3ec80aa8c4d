"""``adjudge run``: takes a judge's model through the stages of a run file, or says what that would do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import AsJson, DryRun, PriceIn, PriceOut, RunFile, Sets, SkipBadLines, Speed
from .outlook import show_outlook
from .plan import planned, rates
from .show import EVALUATION_COLUMNS, evaluation_cells, measures, print_table

if TYPE_CHECKING:
    from adjudge.components import Dataset
    from adjudge.config import RunConfig
    from adjudge.manager import Plugins
    from adjudge.run import Run

EXAMPLE = "Example: adjudge run docs/runs/demo.yaml --set seed=1 --set out=runs/seed-1"


def run(
    file: RunFile,
    *,
    sets: Sets = None,
    dry_run: DryRun = False,
    tokens_per_second: Speed = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    skip_bad_lines: SkipBadLines = False,
    as_json: AsJson = False,
) -> None:
    """Run the stages of a run file, or go on where they stopped.

    What it will take is written to plan.json before the first call, and stands in the report beside what it took.
    """
    known = rates(tokens_per_second, price_in, price_out)
    if dry_run:
        return show_outlook(planned(foreseen(file, sets, skip_bad_lines=skip_bad_lines), known), as_json=as_json)
    job = prepared(file, sets, skip_bad_lines=skip_bad_lines)
    complete = (job.folder / "done.json").exists()
    results = job.execute(known)
    if as_json:
        return typer.echo(json.dumps({"out": str(job.folder), "was_complete": complete, "stages": results}, ensure_ascii=False))
    if complete:
        typer.echo(f"{job.folder} was complete already; nothing was done again.")
    _print_results(results)
    return typer.echo(f"Run folder: {job.folder}")


def prepared(file: Path, sets: Sequence[str] | None, *, skip_bad_lines: bool) -> Run:
    """The run that a call asks for, its configuration checked."""
    from adjudge.manager import Plugins
    from adjudge.run import Run

    plugins = Plugins.load()
    return Run(_config(file, sets, plugins, skip_bad_lines), plugins)


def foreseen(file: Path, sets: Sequence[str] | None, *, skip_bad_lines: bool, shape: Path | None = None) -> Run:
    """The same, to be planned alone: its model may be on another machine where its size is published, or given as a ``config.json``."""
    from adjudge.artifacts import find_model
    from adjudge.errors import ConfigError
    from adjudge.manager import Plugins
    from adjudge.run import Run
    from adjudge.shape import published_name

    plugins = Plugins.load()
    config = _config(file, sets, plugins, skip_bad_lines)
    known = shape is not None or published_name(config.model) is not None
    absent = known and not Path(config.model).exists()
    if not absent:
        try:
            find_model(config.model)
        except ConfigError as error:
            raise ConfigError(f"{error} To plan for a model that is elsewhere: adjudge plan --shape FILE, its config.json.") from None
    return Run(config, plugins, absent=absent)


def _config(file: Path, sets: Sequence[str] | None, plugins: Plugins, skip_bad_lines: bool) -> RunConfig:
    from adjudge.config import read_run_file

    config = read_run_file(file, sets or (), plugins)
    return leave_out_bad_lines(config) if skip_bad_lines else config


def leave_out_bad_lines(config: RunConfig) -> RunConfig:
    """The same run with `skip_bad_lines` set on every data set that has it."""
    sets = {name: tolerant(dataset) for name, dataset in config.evaluation.sets.items()}
    evaluation = config.evaluation.model_copy(update={"sets": sets})
    return config.model_copy(update={"data": tolerant(config.data), "evaluation": evaluation})


def tolerant(dataset: Dataset) -> Dataset:
    """The same with `skip_bad_lines` set where it has that, in the data sets that it is made of too."""
    found: Dataset = _tolerant(dataset)
    return found


def _tolerant(value: Any) -> Any:
    from adjudge.components import Dataset, Options

    if isinstance(value, dict):
        return {name: _tolerant(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_tolerant(one) for one in value]
    if not isinstance(value, Options):
        return value
    changed = {name: new for name in type(value).model_fields if (new := _tolerant(old := getattr(value, name))) != old}
    if isinstance(value, Dataset) and "skip_bad_lines" in type(value).model_fields:
        changed["skip_bad_lines"] = True
    return value.model_copy(update=changed)


def _print_results(results: list[dict[str, Any]]) -> None:
    rows = [(stage["name"], name, metrics) for stage in results for name, metrics in stage["evaluation"].items()]
    if not rows:
        return print_table(["stage", "seconds"], [[stage["name"], str(stage["seconds"])] for stage in results])
    extra = list(dict.fromkeys(name for _, _, metrics in rows for name in measures(metrics)))
    cells = [[stage, name, *evaluation_cells(metrics, extra)] for stage, name, metrics in rows]
    return print_table(["stage", "set", *EVALUATION_COLUMNS, *extra], cells)
