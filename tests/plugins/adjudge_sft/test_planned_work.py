"""The built-in stage trainers say how many judgements and optimiser steps they will take."""

from __future__ import annotations

from typing import Any

import pytest

from adjudge import Judge, PathScorer, Plugins, Problem, StageTrainer, Work

PROBLEMS = [Problem(str(number), "1+1", ("2", "3"), 0) for number in range(10)]


@pytest.mark.parametrize(
    ("name", "options", "order", "work"),
    [
        ("grpo", {"steps": 5, "prompts_per_step": 3, "group": 4}, "both", Work((60, 60), (5, 5))),
        ("grpo", {"steps": 5, "prompts_per_step": 3, "group": 4, "only": "hard", "probe_samples": 2}, "random", Work((80, 80), (5, 5))),
        ("grpo", {"steps": 5, "prompts_per_step": 3, "group": 4, "only": "hard", "probe_samples": 2}, "both", Work((100, 100), (5, 5))),
        ("sft", {"paths": 4, "batch": 4}, "fixed", Work((40, 40), (1, 3))),
        ("sft", {"paths": 4, "batch": 4, "keep": 3, "epochs": 2}, "both", Work((80, 80), (2, 16))),
        ("sft", {"paths": 1, "batch": 4, "keep": 9}, "fixed", Work((10, 10), (1, 3))),
    ],
)
def test_work(plugins: Plugins, name: str, options: dict[str, Any], order: Any, work: Work) -> None:
    judge = plugins.pick(Judge, "rrm")(order=order)
    if name == "sft":
        options = {**options, "scorer": plugins.pick(PathScorer, "rstar")()}
    planned = plugins.pick(StageTrainer, name)(**options).plan(PROBLEMS, judge)
    assert (planned.judgements, planned.steps) == (work.judgements, work.steps)
