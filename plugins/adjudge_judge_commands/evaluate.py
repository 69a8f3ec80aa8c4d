"""``adjudge eval``: how often a judge is right on a labelled set, with an interval and the rates of every outcome."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated, Any

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
    from adjudge import EVALUATION_COLUMNS, Outcome, Summary, evaluation_cells, measures, print_table, write_json
    from adjudge_figures import Agreements, detectable, told_detectable, told_kappa
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
    with ExitStack() as stack:
        records = stack.enter_context(kept_records(out, "judgements", config, folder, problems))
        rows = stack.enter_context(TemporaryFile("w+", encoding="utf-8"))
        summary, agreements, judgements = Summary(), Agreements(), Counter[Outcome]()
        with opened(config, folder, cache=not no_cache) as open_judge:
            for verdict in open_judge.judge_each(problems, records):
                summary.add(verdict.problem, verdict.paths)
                agreements.add(verdict.problem, verdict.paths)
                judgements.update(path.outcome for path in verdict.paths)
                for path in verdict.paths if as_json else ():
                    row = {"id": verdict.problem.id, **judgement_row(verdict.problem, path)}
                    rows.write(json.dumps(row, ensure_ascii=False) + "\n")
        metrics = summary.metrics()
        believed: dict[str, Any] = {"kappa": agreements.kappa(), "detectable": detectable(metrics["n"], metrics["accuracy"])}
        asked = {"model": answered_by(config.engine, model), "judge": config.judge.use, "order": config.judge.order}
        if out is not None:
            write_json(out / "result.json", {**asked, **metrics, **believed})
        if as_json:
            _print_whole({**asked, **metrics, **believed}, rows)
        else:
            extra = measures(metrics)
            print_table([*EVALUATION_COLUMNS, *extra], [evaluation_cells(metrics, extra)])
            typer.echo(told_kappa(believed["kappa"]))
            typer.echo(told_detectable(metrics["n"], metrics["accuracy"]))
    return check_readable(config.judge, judgements.elements())


def _print_whole(result: dict[str, Any], rows: IO[str]) -> None:
    """One object of the result and of the judgements that it was made from, which are read from where they were written."""
    typer.echo(json.dumps(result, ensure_ascii=False)[:-1] + ', "judgements_made": [', nl=False)
    rows.seek(0)
    for number, row in enumerate(rows):
        typer.echo((", " if number else "") + row.rstrip("\n"), nl=False)
    typer.echo("]}")


def _data_set(file: Path | None, data: str | None) -> Any:
    from .sources import data_set

    if (file is None) == (data is None):
        raise typer.BadParameter("give either a file or --data, and not both", param_hint="DATA")
    return {"use": "preference", "file": str(file)} if data is None else data_set(data)
