"""``adjudge judge``: pairs of answers in, verdicts with their reasoning out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, PriceInOption, PriceOutOption, RowsArgument, SetOption, SkipBadLinesOption, SpeedOption

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

if TYPE_CHECKING:
    from adjudge import Problem

    from .opened_judge import PairVerdict

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["85", "75"]}' | adjudge judge --order both"""


def judge(
    file: RowsArgument = FilePath("-"),
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
    """Judge pairs of answers, and show the reasoning.

    A row has a "prompt" and two "answers", or "chosen" and "rejected", as texts or messages; --set columns.prompt=question reads another
    name. Options are set with, for example, --set judge.temperature=0.
    """
    from adjudge import Outcome, write_json
    from adjudge_report import check_readable

    from .configs import RowsConfig
    from .kept import kept_records
    from .setup import configured, opened
    from .sources import asked_problems, rows_or_data

    rows, named = rows_or_data(file, data)
    config, folder = configured(
        RowsConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more={"data": named, "limit": limit}
    )
    config = batched(config, batch, batch_results)
    problems = asked_problems(rows, config.data, limit, pairs=True, skip_bad_lines=skip_bad_lines, columns=config.columns)
    if dry_run:
        from adjudge_plan import rates, show_call_plan

        known = rates(tokens_per_second, price_in, price_out)
        return show_call_plan(problems, config.judge, config.engine, folder, known, as_json=as_json, seed=config.seed)
    with kept_records(out, "judgements", config, folder, problems) as records, opened(config, folder, cache=not no_cache) as open_judge:
        outcomes, judgements = Counter[str](), Counter[Outcome]()
        for verdict in open_judge.judge_each(problems, records):
            row = verdict_row(verdict)
            typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _readable(verdict.problem, row))
            outcomes[verdict.outcome.value] += 1
            judgements.update(path.outcome for path in verdict.paths)
        if out is not None:
            write_json(out / "result.json", {"problems": len(problems), "outcomes": outcomes})
    return check_readable(config.judge, judgements.elements())


def verdict_row(verdict: PairVerdict) -> dict[str, Any]:
    """One pair's outcome, in the pair's own order, with the judgements it was made from."""
    from .kept import judgement_row

    problem = verdict.problem
    return {
        "id": problem.id,
        "prompt": problem.prompt,
        "answers": list(problem.answers),
        "label": problem.shown("given")["label"],
        "outcome": verdict.outcome.value,
        **({} if verdict.probability is None else {"probability": verdict.probability}),
        "judgements": [judgement_row(problem, path) for path in verdict.paths],
    }


def _readable(problem: Problem, row: dict[str, Any]) -> str:
    from adjudge import snippet

    lines = [f"{row['id']}: {row['outcome']}{_sure(row)}   ({snippet(problem.prompt)})"]
    for one in row["judgements"]:
        lines.append(f"  shown {'as given' if one['order'] == 'given' else 'swapped'}: {one['outcome']}{_sure(one)}")
        lines += [f"    {line}" for line in (one["error"] or one["reasoning"]).splitlines()]
    return "\n".join(lines)


def _sure(row: dict[str, Any]) -> str:
    """How probable *first* is, where that is told, and what else is."""
    told = [f"P(first) {row['probability']:.3f}"] if "probability" in row else []
    told += [f"{name} {value}" for name, value in row.get("told", {}).items()]
    return f", {', '.join(told)}" if told else ""
