"""``adjudge bench --dry-run``: what a benchmark would ask, and which files it would read and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from .loading import Loaded

if TYPE_CHECKING:
    from adjudge import Problem
    from adjudge_plan import Rates

    from .config import BenchConfig


def show_plan(
    config: BenchConfig, folder: FilePath, found: Loaded, problems: Sequence[Problem], out: FilePath, rates: Rates, *, as_json: bool
) -> None:
    """Print how many judgements and tokens it takes to judge these problems."""
    from adjudge_plan import show_call_plan

    benchmark = config.benchmark
    pairs = [problem.pair(match.first, match.second) for problem in problems for match in benchmark.pairs(problem)]
    facts: dict[str, Any] = {
        "benchmark": benchmark.use,
        "problems": len(problems),
        "of": len(found.everything),
        "left_out": found.left_out,
        "files": benchmark.places(),
        "out": str(out),
    }
    show_call_plan(pairs, config.judge, config.engine, folder, rates, as_json=as_json, seed=config.seed, facts=facts)
