"""``adjudge judge``: pairs of answers in, verdicts with their reasoning out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

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
    Rows,
    Seed,
    Sets,
    SkipBadLines,
    Speed,
)
from .plan import rates, show_call_plan

if TYPE_CHECKING:
    from adjudge.records import Path, Problem

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["85", "75"]}' | adjudge judge --order both"""


def judge(
    file: Rows = FilePath("-"),
    *,
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
    """Judge pairs of answers, and show the reasoning.

    A row has a "prompt" and two "answers", or "chosen" and "rejected". Options are set with, for example, --set judge.temperature=0.
    """
    from adjudge.judging import plan_asks, sample_paths

    from .bench import opened, read_problems, set_up

    bench, folder = set_up(model, engine=engine, order=order, sets=sets, seed=seed)
    problems = read_problems(file, pairs=True, skip_bad_lines=skip_bad_lines)
    if dry_run:
        return show_call_plan(bench, folder, problems, rates(tokens_per_second, price_in, price_out), as_json)
    asks = plan_asks(problems, bench.judge, seed=bench.seed)
    with opened(bench, folder, cache=not no_cache) as session:
        made = {path.id: path for path in sample_paths(session, bench.judge, asks)}
        each = len(asks) // len(problems)
        for index, problem in enumerate(problems):
            row = verdict_row(problem, [made[ask.id] for ask in asks[index * each : (index + 1) * each]])
            typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _readable(problem, row))
    return None


def verdict_row(problem: Problem, paths: Sequence[Path]) -> dict[str, Any]:
    """One pair's outcome, in the pair's own order, with the judgements it was made from."""
    from adjudge.judging import combine

    return {
        "id": problem.id,
        "outcome": combine(paths).value,
        "judgements": [
            {
                "order": path.order,
                "outcome": path.outcome.value,
                "reasoning": _reasoning(path),
                "tokens": len(path.completion.token_ids),
                "error": path.completion.error,
            }
            for path in paths
        ],
    }


def _reasoning(path: Path) -> str:
    """What the judge wrote before its verdict; everything it wrote when there is none."""
    start, end = path.verdict.reasoning or (0, len(path.completion.text))
    return path.completion.text[start:end].strip()


def _readable(problem: Problem, row: dict[str, Any]) -> str:
    from .show import snippet

    lines = [f"{row['id']}: {row['outcome']}   ({snippet(problem.prompt)})"]
    for one in row["judgements"]:
        lines.append(f"  shown {'as given' if one['order'] == 'given' else 'swapped'}: {one['outcome']}")
        lines += [f"    {line}" for line in (one["error"] or one["reasoning"]).splitlines()]
    return "\n".join(lines)
