"""The three stages over five seeds, and one stage of GRPO with as many optimiser steps: ``python benchmarks/chain.py``.

Writes ``results/chain.json``, ``chain.md`` and, for seed 0, which is what `make demo` runs, ``demo.md``. Differences are paired by
seed: all stages of a seed are measured on the same held-out problems.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, number, of_seed, over_seeds, run, save, spread, table

DEMO = ROOT / "docs" / "runs" / "demo.yaml"
ONE_STAGE = ROOT / "docs" / "runs" / "one-stage.yaml"
SETS = ("standard", "graded")
TITLES = ("base judge", "Zero-RL", "R⋆-SFT", "GRPO on hard cases")


def steps_of(stages: list[dict[str, Any]]) -> int:
    """Optimiser steps of all stages; fine-tuning takes one per 32 selected paths."""
    return sum(stage["metrics"].get("steps") or -(-stage["metrics"]["selected"] // 32) for stage in stages[1:])


def by_seed(runs: list[list[dict[str, Any]]], stage: int, name: str, field: str = "accuracy") -> list[float]:
    return [stages[stage]["evaluation"][name][field] for stages in runs]


def summarise(three: list[list[dict[str, Any]]], one: list[list[dict[str, Any]]], seeds: list[int]) -> dict[str, Any]:
    gains = {
        name: {
            f"{TITLES[later]} - {TITLES[earlier]}": spread(
                [b - a for a, b in zip(by_seed(three, earlier, name), by_seed(three, later, name), strict=True)]
            )
            for earlier, later in itertools.pairwise(range(len(TITLES)))
        }
        for name in SETS
    }
    return {
        "seeds": seeds,
        "stages": {
            title: {
                name: {field: spread(by_seed(three, index, name, field)) for field in ("accuracy", "sound", "mean_tokens")} for name in SETS
            }
            for index, title in enumerate(TITLES)
        },
        "paired_gains": gains,
        "one_stage": {name: {field: spread(by_seed(one, 1, name, field)) for field in ("accuracy", "sound")} for name in SETS},
        "three_minus_one": {
            name: spread([a - b for a, b in zip(by_seed(three, -1, name), by_seed(one, 1, name), strict=True)]) for name in SETS
        },
        "steps": {"three": [steps_of(stages) for stages in three], "one": [steps_of(stages) for stages in one]},
        "runs": {str(seed): stages for seed, stages in zip(seeds, three, strict=True)},
        "one_stage_runs": {str(seed): stages for seed, stages in zip(seeds, one, strict=True)},
    }


def as_text(data: dict[str, Any]) -> str:
    """Tables for people, all from the data."""
    rows = [
        [title, *(number(stage[name]["accuracy"]) for name in SETS), number(stage["graded"]["sound"])]
        for title, stage in data["stages"].items()
    ]
    rows.append(
        [
            "one stage, equal steps",
            *(number(data["one_stage"][name]["accuracy"]) for name in SETS),
            number(data["one_stage"]["graded"]["sound"]),
        ]
    )
    gains = [[step, *(number(data["paired_gains"][name][step], "+") for name in SETS)] for step in data["paired_gains"]["graded"]]
    gains.append(["three stages - one stage, equal steps", *(number(data["three_minus_one"][name], "+") for name in SETS)])
    return "\n\n".join(
        [
            f"Mean over seeds {data['seeds']} with Student's 95% interval.",
            table(["stage", "accuracy, standard", "accuracy, graded", "sound paths, graded"], rows),
            table(["paired gain", "standard", "graded"], gains),
        ]
    )


def both(work: Path, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The three stages, then one stage of as many steps."""
    three = run(DEMO, work / f"three-{seed}", *of_seed(seed))
    return three, run(ONE_STAGE, work / f"one-{seed}", *of_seed(seed), f"stages.0.steps={steps_of(three)}")


def demo_text(stages: list[dict[str, Any]]) -> str:
    """What `make demo` ends with, seed 0: one row per stage, Wilson's 95% intervals; the last three columns are of the second set."""
    rows = []
    for title, stage in zip(TITLES, stages, strict=True):
        by_set = [stage["evaluation"][name] for name in SETS]
        shares = [f"{found['accuracy']:.3f} ({found['interval'][0]:.3f} to {found['interval'][1]:.3f})" for found in by_set]
        failures = " / ".join(f"{100 * by_set[-1]['outcomes'][outcome]:.1f}" for outcome in ("unreadable", "truncated", "failed"))
        rows.append([title, *shares, f"{by_set[-1]['sound']:.3f}", failures, f"{by_set[-1]['mean_tokens']:.1f}"])
    size = stages[0]["evaluation"][SETS[0]]["n"]
    head = [f"accuracy, {name}, n = {size}" for name in SETS]
    return table(["judge", *head, "sound paths", "unreadable / truncated / failed, %", "tokens"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "chain", help="where the runs are kept")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    three, one = zip(*over_seeds(lambda seed: both(options.work, seed), seeds), strict=True)
    data = summarise(list(three), list(one), seeds)
    save("chain", data)
    (RESULTS / "chain.md").write_text(as_text(data) + "\n", encoding="utf-8")
    (RESULTS / "demo.md").write_text(demo_text(three[0]) + "\n", encoding="utf-8")
    print(as_text(data))


if __name__ == "__main__":
    main()
