"""``adjudge eval``: how often a judge is right on a labelled set, with an interval and the rates of every outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    DEFAULT_MODEL,
    AsJson,
    DryRun,
    EngineName,
    Model,
    NoCache,
    OrderName,
    PriceIn,
    PriceOut,
    Seed,
    Sets,
    SkipBadLines,
    Speed,
)
from .plan import rates, show_call_plan
from .show import EVALUATION_COLUMNS, evaluation_cells, measures, print_table

EXAMPLE = "Example: adjudge eval pairs.jsonl --order both, or: adjudge eval --data '{use: jsonl, file: problems.jsonl, limit: 100}'"


def evaluate(
    file: Annotated[Path | None, typer.Argument(metavar="DATA", help="JSON Lines file in preference format.")] = None,
    *,
    data: Annotated[str | None, typer.Option("--data", help="In place of DATA: a data set's name, or YAML with options.")] = None,
    model: Model = DEFAULT_MODEL,
    order: OrderName = None,
    engine: EngineName = "hf",
    sets: Sets = None,
    seed: Seed = 0,
    skip_bad_lines: SkipBadLines = False,
    dry_run: DryRun = False,
    tokens_per_second: Speed = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Measure a judge's accuracy on labelled problems."""
    from adjudge.errors import ConfigError, blamed_on
    from adjudge.jsonl import not_empty
    from adjudge.judging import check_pairs, plan_asks, sample_paths, summarise

    from .bench import opened, set_up
    from .run import tolerant

    asked = _data_set(file, data)
    bench, folder = set_up(model, engine=engine, order=order, sets=sets, seed=seed, data=asked)
    assert bench.data is not None
    dataset = tolerant(bench.data) if skip_bad_lines else bench.data
    with blamed_on(dataset, "load"):
        problems = not_empty(dataset.load(), "data")
    check_pairs(problems, "data", labelled=False)
    if all(problem.label is None for problem in problems):
        raise ConfigError("data: none of the problems has a label, so nothing can be right.\n  Remedy: use 'adjudge judge' for verdicts.")
    if dry_run:
        return show_call_plan(bench, folder, problems, rates(tokens_per_second, price_in, price_out), as_json)
    with opened(bench, folder, cache=not no_cache) as session:
        paths = list(sample_paths(session, bench.judge, plan_asks(problems, bench.judge, seed=bench.seed)))
    metrics = summarise(problems, paths)
    if as_json:
        return typer.echo(json.dumps({"model": model, "judge": bench.judge.use, "order": bench.judge.order, **metrics}))
    extra = measures(metrics)
    return print_table([*EVALUATION_COLUMNS, *extra], [evaluation_cells(metrics, extra)])


def _data_set(file: Path | None, data: str | None) -> Any:
    from .bench import from_yaml

    if (file is None) == (data is None):
        raise typer.BadParameter("give either a file or --data, and not both", param_hint="DATA")
    return {"use": "preference", "file": str(file)} if data is None else from_yaml("--data", data)
