"""``--dry-run`` of a command that judges or ranks: what the call would take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import typer

from adjudge import Aggregator, Budget, Engine, Judge, Problem, Voting

from .plan import Rates, plan_judging
from .rehearsal import plan_ranking
from .table import print_plan


def show_call_plan(
    problems: Sequence[Problem], judge: Judge, engine: Engine, folder: FilePath, rates: Rates,
    *, as_json: bool, seed: int = 0, aggregator: Aggregator | None = None, voting: Voting | None = None, budget: Budget | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Print what judging these problems would take or, with an aggregator, ranking their answers. `folder` is the model's.

    `facts` are what a command says of the call besides, and stand before the plan.
    """
    from adjudge_cache import measured_tokens

    known = measured_tokens(engine, folder)
    if aggregator is None:
        plan = plan_judging(problems, judge, engine, folder, measured=known, rates=rates)
    else:
        plan = plan_ranking(
            problems, aggregator, judge, engine, folder, seed=seed, voting=voting, budget=budget, measured=known, rates=rates
        )
    if as_json:
        typer.echo(json.dumps({**(facts or {}), **plan.to_json()}, ensure_ascii=False))
    else:
        for name, value in (facts or {}).items():
            typer.echo(f"{name.replace('_', ' '):<11} {', '.join(map(str, value)) or 'none' if isinstance(value, list) else value}")
        print_plan(plan)
