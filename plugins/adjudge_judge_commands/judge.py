"""``adjudge judge``: pairs of answers in, verdicts with their reasoning out."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

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
    RowsArgument,
    SeedOption,
    SetOption,
    SkipBadLinesOption,
    SpeedOption,
)

if TYPE_CHECKING:
    from adjudge import Problem, ReasoningPath

    from .opened_judge import PairVerdict

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["85", "75"]}' | adjudge judge --order both"""


def judge(
    file: RowsArgument = FilePath("-"),
    *,
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
    """Judge pairs of answers, and show the reasoning.

    A row has a "prompt" and two "answers", or "chosen" and "rejected", as texts or messages; --set columns.prompt=question reads another
    name. Options are set with, for example, --set judge.temperature=0.
    """
    from .configs import RowsConfig
    from .input_rows import read_problems
    from .setup import configured, opened

    config, folder = configured(RowsConfig, model=model, engine=engine, order=order, sets=sets, seed=seed)
    problems = read_problems(file, pairs=True, skip_bad_lines=skip_bad_lines, columns=config.columns)
    if dry_run:
        from adjudge_plan import rates, show_call_plan

        known = rates(tokens_per_second, price_in, price_out)
        return show_call_plan(problems, config.judge, config.engine, folder, known, as_json=as_json, seed=config.seed)
    with opened(config, folder, cache=not no_cache) as open_judge:
        for verdict in open_judge.judge(problems):
            row = verdict_row(verdict)
            typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _readable(verdict.problem, row))
    return None


def verdict_row(verdict: PairVerdict) -> dict[str, Any]:
    """One pair's outcome, in the pair's own order, with the judgements it was made from."""
    return {
        "id": verdict.problem.id,
        "outcome": verdict.outcome.value,
        "judgements": [
            {
                "order": path.order,
                "outcome": path.outcome.value,
                "reasoning": _reasoning(path),
                "tokens": len(path.completion.token_ids),
                "error": path.completion.error,
            }
            for path in verdict.paths
        ],
    }


def _reasoning(path: ReasoningPath) -> str:
    """What the judge wrote before its verdict; everything it wrote when there is none."""
    start, end = path.verdict.reasoning or (0, len(path.completion.text))
    return path.completion.text[start:end].strip()


def _readable(problem: Problem, row: dict[str, Any]) -> str:
    from adjudge import snippet

    lines = [f"{row['id']}: {row['outcome']}   ({snippet(problem.prompt)})"]
    for one in row["judgements"]:
        lines.append(f"  shown {'as given' if one['order'] == 'given' else 'swapped'}: {one['outcome']}")
        lines += [f"    {line}" for line in (one["error"] or one["reasoning"]).splitlines()]
    return "\n".join(lines)
