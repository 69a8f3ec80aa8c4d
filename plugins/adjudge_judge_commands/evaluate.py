"""``adjudge eval``: how often a judge is right on a labelled set, with an interval and the rates of every outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from adjudge import (
    DEFAULT_MODEL,
    DryRunOption,
    EngineOption,
    JsonOption,
    ModelOption,
    NoCacheOption,
    OrderOption,
    PriceInOption,
    PriceOutOption,
    SeedOption,
    SetOption,
    SkipBadLinesOption,
    SpeedOption,
)

EXAMPLE = "Example: adjudge eval pairs.jsonl --order both, or: adjudge eval --data '{use: jsonl, file: problems.jsonl, limit: 100}'"


def evaluate(
    file: Annotated[Path | None, typer.Argument(metavar="DATA", help="File of preferences, in any shape of docs/data.md.")] = None,
    *,
    data: Annotated[str | None, typer.Option("--data", help="In place of DATA: a data set's name, or YAML with options.")] = None,
    model: ModelOption = DEFAULT_MODEL,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    sets: SetOption = None,
    seed: SeedOption = 0,
    skip_bad_lines: SkipBadLinesOption = False,
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a judge's accuracy on labelled problems."""
    from adjudge import EVALUATION_COLUMNS, evaluation_cells, measures, print_table, summarise

    from .configs import EvalConfig
    from .input_rows import labelled_problems
    from .setup import configured, opened

    more = {"data": _data_set(file, data)}
    config, folder = configured(EvalConfig, model=model, engine=engine, order=order, sets=sets, seed=seed, more=more)
    problems = labelled_problems(config.data.tolerant() if skip_bad_lines else config.data)
    if dry_run:
        from adjudge_plan import rates, show_call_plan

        known = rates(tokens_per_second, price_in, price_out)
        return show_call_plan(problems, config.judge, config.engine, folder, known, as_json=as_json, seed=config.seed)
    with opened(config, folder, cache=not no_cache) as judge:
        paths = [path for verdict in judge.judge(problems) for path in verdict.paths]
    metrics = summarise(problems, paths)
    if as_json:
        return typer.echo(json.dumps({"model": model, "judge": config.judge.use, "order": config.judge.order, **metrics}))
    extra = measures(metrics)
    return print_table([*EVALUATION_COLUMNS, *extra], [evaluation_cells(metrics, extra)])


def _data_set(file: Path | None, data: str | None) -> Any:
    from .setup import from_yaml

    if (file is None) == (data is None):
        raise typer.BadParameter("give either a file or --data, and not both", param_hint="DATA")
    return {"use": "preference", "file": str(file)} if data is None else from_yaml("--data", data)
