"""``adjudge run``: takes a judge's model through the stages of a run file, or says what that would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Sets, SkipBadLines
from .show import EVALUATION_COLUMNS, evaluation_cells, measures, print_table

if TYPE_CHECKING:
    from adjudge.components import Dataset
    from adjudge.config import RunConfig
    from adjudge.run import Run

EXAMPLE = "Example: adjudge run docs/runs/demo.yaml --set seed=1 --set out=runs/seed-1"


def run(
    file: Annotated[Path, typer.Argument(help="The run file, in YAML.")],
    *,
    sets: Sets = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, print the stages, and do nothing.")] = False,
    skip_bad_lines: SkipBadLines = False,
    as_json: AsJson = False,
) -> None:
    """Run the stages of a run file, or go on where they stopped."""
    from adjudge.config import read_run_file
    from adjudge.manager import Plugins
    from adjudge.run import Run

    plugins = Plugins.load()
    config = read_run_file(file, sets or (), plugins)
    job = Run(leave_out_bad_lines(config) if skip_bad_lines else config, plugins)
    if dry_run:
        return _print_plan(plan(job), as_json)
    complete = (job.folder / "done.json").exists()
    results = job.execute()
    if as_json:
        return typer.echo(json.dumps({"out": str(job.folder), "was_complete": complete, "stages": results}, ensure_ascii=False))
    if complete:
        typer.echo(f"{job.folder} was complete already; nothing was done again.")
    _print_results(results)
    return typer.echo(f"Run folder: {job.folder}")


def leave_out_bad_lines(config: RunConfig) -> RunConfig:
    """The same run with `skip_bad_lines` set on every data set that has it."""
    sets = {name: tolerant(dataset) for name, dataset in config.evaluation.sets.items()}
    evaluation = config.evaluation.model_copy(update={"sets": sets})
    return config.model_copy(update={"data": tolerant(config.data), "evaluation": evaluation})


def tolerant(dataset: Dataset) -> Dataset:
    return dataset.model_copy(update={"skip_bad_lines": True}) if "skip_bad_lines" in type(dataset).model_fields else dataset


def plan(job: Run) -> dict[str, Any]:
    """What a run would do."""
    train, tests = job.load_problems()
    return {
        "out": str(job.folder),
        "model": str(job.base),
        "judge": job.judge.use,
        "engine": job.config.engine.use,
        "seed": job.config.seed,
        "problems": len(train),
        "evaluation": {name: len(problems) for name, problems in tests.items()},
        "stages": ["0-base", *(f"{index}-{stage.use}" for index, stage in enumerate(job.config.stages, 1))],
    }


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return typer.echo(json.dumps(plan, ensure_ascii=False))
    sets = ", ".join(f"{name} ({size} problems)" for name, size in plan["evaluation"].items()) or "none"
    for name, value in {**plan, "evaluation": sets, "stages": " → ".join(plan["stages"])}.items():
        typer.echo(f"{name:<11} {value}")
    return typer.echo("Nothing was done: this was a dry run.")


def _print_results(results: list[dict[str, Any]]) -> None:
    rows = [(stage["name"], name, metrics) for stage in results for name, metrics in stage["evaluation"].items()]
    if not rows:
        return print_table(["stage", "seconds"], [[stage["name"], str(stage["seconds"])] for stage in results])
    extra = list(dict.fromkeys(name for _, _, metrics in rows for name in measures(metrics)))
    cells = [[stage, name, *evaluation_cells(metrics, extra)] for stage, name, metrics in rows]
    return print_table(["stage", "set", *EVALUATION_COLUMNS, *extra], cells)
