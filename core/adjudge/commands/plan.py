"""``adjudge plan``: what a run will take before its first call; and the tables of every ``--dry-run``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import (
    AsJson,
    GpuMemory,
    Gpus,
    PriceIn,
    PriceOut,
    ProblemCount,
    PromptTokens,
    RunFile,
    Sets,
    ShapeFile,
    SkipBadLines,
    Speed,
    Tflops,
)

if TYPE_CHECKING:
    from adjudge.plan import Part, Plan, Rates
    from adjudge.records import Problem
    from adjudge.run import Run

    from .bench import Bench

EXAMPLE = "Example: adjudge plan docs/runs/demo.yaml --tokens-per-second 2000"


def plan(
    file: RunFile,
    *,
    sets: Sets = None,
    tokens_per_second: Speed = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    gpus: Gpus = None,
    gpu_memory: GpuMemory = None,
    tflops: Tflops = None,
    prompt_tokens: PromptTokens = None,
    problems: ProblemCount = None,
    shape: ShapeFile = None,
    skip_bad_lines: SkipBadLines = False,
    as_json: AsJson = False,
) -> None:
    """Say what a run file would take: judgements, optimiser steps, tokens, memory and, at given rates, time and cost.

    Everything that is here is checked and nothing is done. A model of known size may be on another machine, and its data with it.
    "Likely" tokens need a measured length: that of judgements in the run folder, once the first stage is complete. Time is that of
    writing tokens, and with --tflops of training steps; loading models comes on top.
    """
    from .outlook import hardware, show_outlook
    from .run import foreseen

    known, devices = rates(tokens_per_second, price_in, price_out), hardware(gpus, gpu_memory, tflops, prompt_tokens)
    job = foreseen(file, sets, skip_bad_lines=skip_bad_lines, shape=shape)
    show_outlook(planned(job, known, problems), devices, shape, as_json=as_json)


def rates(tokens_per_second: float | None, price_in: float | None, price_out: float | None) -> Rates:
    """The rates of a call."""
    from adjudge.config import validate
    from adjudge.manager import Plugins
    from adjudge.plan import Rates

    given = {"tokens_per_second": tokens_per_second, "price_in": price_in, "price_out": price_out}
    return validate(Rates, given, Plugins(), "the call")


@dataclass(frozen=True, slots=True)
class Planned:
    """A run, its problems as far as they are here, and its plan."""

    job: Run
    train: Sequence[Problem] | None
    tests: Mapping[str, Sequence[Problem] | None]
    missing: Mapping[str, str]
    """Why data are not here, by their fields."""
    plan: Plan

    @property
    def facts(self) -> dict[str, Any]:
        config = self.job.config
        return {
            "out": str(self.job.folder),
            "model": str(self.job.base),
            "judge": self.job.judge.use,
            "engine": config.engine.use,
            "seed": config.seed,
            "problems": _size(self.train),
            "evaluation": {name: _size(problems) for name, problems in self.tests.items()},
            "stages": ["0-base", *(f"{index}-{stage.use}" for index, stage in enumerate(config.stages, 1))],
        }


def _size(problems: Sequence[Problem] | None) -> int | None:
    return None if problems is None else len(problems)


def planned(job: Run, rates: Rates, count: int | None = None) -> Planned:
    """The plan of a run; `count` stands for problems that are not here."""
    from adjudge.plan import plan_run, stand_ins

    train, tests, missing = job.find_problems()
    problems = stand_ins(count) if train is None and count is not None else train
    return Planned(job, problems, tests, missing, plan_run(job, problems, tests, rates))


def print_facts(found: Planned) -> None:
    """What would be run, line by line."""
    facts = found.facts
    sets = ", ".join(f"{name} ({_counted(size)} problems)" for name, size in facts["evaluation"].items()) or "none"
    lines = {**facts, "problems": _counted(facts["problems"]), "evaluation": sets, "stages": " → ".join(facts["stages"])}
    for name, value in lines.items():
        typer.echo(f"{name:<11} {value}")


def _counted(size: int | None) -> str:
    return UNKNOWN if size is None else str(size)


def not_here(found: Planned) -> list[str]:
    """What a plan could not look at, in a sentence each."""
    model = [f"{found.job.base}: its weights, tokenizer and chat template, and how long prompts are in its tokens"]
    return (model if found.job.absent else []) + [f"{field}: {reason}" for field, reason in found.missing.items()]


def show_call_plan(bench: Bench, folder: Path, problems: Sequence[Problem], rates: Rates, as_json: bool) -> None:
    """Print what judging these problems, or ranking their answers, would take."""
    from adjudge.plan import plan_judging
    from adjudge.rehearsal import plan_ranking

    known = _measured(bench, folder)
    if bench.aggregator is None:
        plan = plan_judging(problems, bench.judge, bench.engine, folder, measured=known, rates=rates)
    else:
        plan = plan_ranking(
            problems, bench.aggregator, bench.judge, bench.engine, folder,
            seed=bench.seed, voting=bench.voting, budget=bench.budget, measured=known, rates=rates,
        )  # fmt: skip
    if as_json:
        return typer.echo(json.dumps(plan.to_json(), ensure_ascii=False))
    return print_plan(plan)


def _measured(bench: Bench, folder: Path) -> float | None:
    """Mean tokens of what this model has answered so far, as the cache knows; None where it knows nothing."""
    from adjudge.cache import Cache, cache_file
    from adjudge.cached_session import source_of

    if not cache_file().exists():
        return None
    cache = Cache(cache_file())
    try:
        source = source_of(bench.engine, folder, cache)
        return None if source is None else cache.mean_tokens(source)
    finally:
        cache.close()


def print_plan(plan: Plan, unseen: Sequence[str] = ()) -> None:
    """The parts, their sum where there are several, and what is not known."""
    from .show import print_table

    rows = [*plan.parts, plan.total] if len(plan.parts) > 1 else list(plan.parts)
    cells = {name: [cell(row) for row in rows] for name, cell in COLUMNS.items()}
    shown = {name: texts for name, texts in cells.items() if name in ALWAYS or any(text != UNKNOWN for text in texts)}
    print_table(list(shown), [list(row) for row in zip(*shown.values(), strict=True)])
    if plan.unknown:
        typer.echo(f"The total lacks what does not say what it takes: {', '.join(plan.unknown)}.")
    for one in unseen:
        typer.echo(f"Not here, so not checked: {one}")
    typer.echo("Nothing was done: this was a dry run.")


UNKNOWN = "unknown"
ALWAYS = ("stage", "what", "judgements", "tokens in", "tokens out,\nat most")
COLUMNS: dict[str, Any] = {
    "stage": lambda part: part.stage,
    "what": lambda part: part.what,
    "matches": lambda part: _range(part.matches),
    "judgements": lambda part: _range(part.judgements),
    "steps": lambda part: _range(part.steps),
    "tokens in": lambda part: _range(part.input_tokens),
    "tokens out,\nlikely": lambda part: _number(part.likely_tokens),
    "tokens out,\nat most": lambda part: _number(part.most_tokens),
    "time": lambda part: _both(part, "seconds"),
    "cost": lambda part: _both(part, "cost"),
}


def _range(bounds: tuple[int, int] | None) -> str:
    if bounds is None:
        return UNKNOWN
    least, most = bounds
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _both(part: Part, name: str) -> str:
    """What is likely and what is the most, as far as it is known."""
    likely, most = getattr(part, f"likely_{name}"), getattr(part, f"most_{name}")
    show = duration if name == "seconds" else "{:,.2f}".format
    if most is None:
        return UNKNOWN
    return f"≤ {show(most)}" if likely is None else f"{show(likely)} (≤ {show(most)})"


def duration(seconds: float) -> str:
    """Seconds in the unit that people would use."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
