"""``adjudge run``: takes a judge's model through the stages of a run file."""

import json
from typing import Any

import typer

from .options import DryRunOption, JsonOption, PriceInOption, PriceOutOption, RunFileArgument, SetOption, SkipBadLinesOption, SpeedOption
from .tables import EVALUATION_COLUMNS, evaluation_cells, measures, print_table

EXAMPLE = "Example: adjudge run docs/runs/demo.yaml --set seed=1 --set out=runs/seed-1"


def run(
    file: RunFileArgument,
    *,
    sets: SetOption = None,
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    skip_bad_lines: SkipBadLinesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the stages of a run file, or go on where they stopped.

    What it will take is written to plan.json before the first call, and stands in the report beside what it took."""
    from adjudge.errors import ConfigError
    from adjudge.host.plugins import Plugins
    from adjudge.run.run import Run
    from adjudge.store.run_files import read_run_file

    plugins = Plugins.load()
    rates = {"tokens_per_second": tokens_per_second, "price_in": price_in, "price_out": price_out}
    if (price_in is None) != (price_out is None):
        raise ConfigError("--price-in and --price-out belong together.\n  Remedy: give both, 0 for what costs nothing.")
    if dry_run:
        if (plan := next((command.function for command in plugins.commands() if command.name == "plan"), None)) is None:
            raise ConfigError("--dry-run: the command 'plan' is not there.\n  Remedy: leave adjudge_plan out of ADJUDGE_BLOCK.")
        plan(file, sets=sets, **rates, skip_bad_lines=skip_bad_lines, as_json=as_json)
        return None
    config = read_run_file(file, sets or (), plugins)
    job = Run(config.tolerant() if skip_bad_lines else config, plugins)
    complete = (job.folder / "done.json").exists()
    results = job.execute(rates)
    if as_json:
        return typer.echo(json.dumps({"out": str(job.folder), "was_complete": complete, "stages": results}, ensure_ascii=False))
    if complete:
        typer.echo(f"{job.folder} was complete already; nothing was done again.")
    _print_results(results)
    return typer.echo(f"Run folder: {job.folder}")


def _print_results(results: list[dict[str, Any]]) -> None:
    if not (rows := [(stage["name"], name, metrics) for stage in results for name, metrics in stage["evaluation"].items()]):
        return print_table(["stage", "seconds"], [[stage["name"], str(stage["seconds"])] for stage in results])
    extra = list(dict.fromkeys(name for _, _, metrics in rows for name in measures(metrics)))
    return print_table(["stage", "set", *EVALUATION_COLUMNS, *extra], [[*row[:2], *evaluation_cells(row[2], extra)] for row in rows])
