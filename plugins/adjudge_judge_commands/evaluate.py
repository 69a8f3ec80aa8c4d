"""``adjudge eval``: how often a judge is right on a labelled set, with an interval and the rates of every outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, PriceInOption, PriceOutOption, SetOption, SkipBadLinesOption, SpeedOption

from .batches import BatchOption, BatchResultsOption, batched
from .options import (
    DataOption,
    DryRunOption,
    EngineOption,
    JsonOption,
    JudgeOption,
    LimitOption,
    NoCacheOption,
    OrderOption,
    OutOption,
    SeedOption,
)

EXAMPLE = "Example: adjudge eval pairs.jsonl --order both, or: adjudge eval --data '{use: jsonl, file: problems.jsonl, limit: 100}'"


def evaluate(
    file: Annotated[Path | None, typer.Argument(metavar="DATA", help="File of preferences, in any shape of docs/data.md.")] = None,
    *,
    data: DataOption = None,
    model: ModelOption = DEFAULT_MODEL,
    judge: JudgeOption = None,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    limit: LimitOption = None,
    out: OutOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    skip_bad_lines: SkipBadLinesOption = False,
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    no_cache: NoCacheOption = False,
    batch: BatchOption = None,
    batch_results: BatchResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a judge's accuracy on labelled problems."""
    from adjudge import EVALUATION_COLUMNS, evaluation_cells, measures, print_table, summarise, write_json
    from adjudge_report import check_readable

    from .configs import EvalConfig
    from .input_rows import labelled_problems
    from .kept import judgement_row, kept_records
    from .setup import configured, opened
    from .sources import answered_by, some_of

    more = {"data": _data_set(file, data), "limit": limit}
    config, folder = configured(EvalConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more=more)
    config = batched(config, batch, batch_results)
    problems = some_of(labelled_problems(config.data.tolerant() if skip_bad_lines else config.data), limit)
    if dry_run:
        from adjudge_plan import rates, show_call_plan

        known = rates(tokens_per_second, price_in, price_out)
        return show_call_plan(problems, config.judge, config.engine, folder, known, as_json=as_json, seed=config.seed)
    with kept_records(out, "judgements", config, folder, problems) as records, opened(config, folder, cache=not no_cache) as open_judge:
        verdicts = open_judge.judge(problems, records)
    metrics = summarise(problems, [path for verdict in verdicts for path in verdict.paths])
    asked = {"model": answered_by(config.engine, model), "judge": config.judge.use, "order": config.judge.order}
    if out is not None:
        write_json(out / "result.json", {**asked, **metrics})
    if as_json:
        each = [{"id": one.problem.id, **judgement_row(one.problem, path)} for one in verdicts for path in one.paths]
        typer.echo(json.dumps({**asked, **metrics, "judgements_made": each}, ensure_ascii=False))
    else:
        extra = measures(metrics)
        print_table([*EVALUATION_COLUMNS, *extra], [evaluation_cells(metrics, extra)])
    return check_readable(config.judge, (path.outcome for one in verdicts for path in one.paths))


def _data_set(file: Path | None, data: str | None) -> Any:
    from .sources import data_set

    if (file is None) == (data is None):
        raise typer.BadParameter("give either a file or --data, and not both", param_hint="DATA")
    return {"use": "preference", "file": str(file)} if data is None else data_set(data)
