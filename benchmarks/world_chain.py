"""What training adds in the worlds of programs and of instructions, stage by stage: ``python benchmarks/world_chain.py [--seeds 5]``.

Runs docs/runs/code.yaml and docs/runs/instructions.yaml over the seeds and writes ``results/world_chain.json`` and ``.md``. Gains are
paired by seed: all stages of a seed are measured on the same held-out problems. The sums have `chain.py`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, number, over_seeds, run, save, spread, table

WORLDS = {"programs": ("code", "sound-code"), "instructions": ("instructions", "sound-instructions")}
"""Run file and measure of soundness of each world."""
TITLES = ("base judge", "R⋆-SFT", "GRPO on hard cases")
FIELDS = ("seed", "data.seed", "evaluation.sets.graded.seed")


def one(work: Path, file: str, seed: int) -> list[dict[str, Any]]:
    """A run's results, the base first."""
    settings = [f"{field}={seed}" for field in FIELDS]
    return run(ROOT / "docs" / "runs" / f"{file}.yaml", work / f"{file}-{seed}", *settings)


def summarise(runs: list[list[dict[str, Any]]], sound: str) -> dict[str, Any]:
    """Accuracy and soundness of every stage, and what each adds to the one before."""
    of = {field: [[stages[index]["evaluation"]["graded"][field] for stages in runs] for index in range(len(TITLES))] for field in
          ("accuracy", sound, "mean_tokens")}  # fmt: skip
    names = {"accuracy": "accuracy", sound: "sound", "mean_tokens": "tokens"}
    return {
        "stages": {title: {names[field]: spread(values[index]) for field, values in of.items()} for index, title in enumerate(TITLES)},
        "gains": {
            TITLES[later]: {
                names[field]: spread([b - a for a, b in zip(values[earlier], values[later], strict=True)]) for field, values in of.items()
            }
            for earlier, later in itertools.pairwise(range(len(TITLES)))
        },
        "runs": runs,
    }


def as_text(data: dict[str, Any]) -> str:
    rows = []
    for world, found in data["worlds"].items():
        for title, stage in found["stages"].items():
            gain = found["gains"].get(title)
            gained = [number(gain[name], "+") if gain else "" for name in ("accuracy", "sound")]
            rows.append([world, title, number(stage["accuracy"]), gained[0], number(stage["sound"]), gained[1]])
    head = ["world", "after", "accuracy", "gain", "sound paths", "gain"]
    return f"Mean over seeds {data['seeds']} with Student's 95% interval; all four levels, 1,000 held-out problems a seed.\n\n" + table(
        head, rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "world_chain", help="where the runs are kept")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    worlds = {}
    for world, (file, sound) in WORLDS.items():
        worlds[world] = summarise(over_seeds(lambda seed, file=file: one(options.work, file, seed), seeds), sound)
    data = {"seeds": seeds, "worlds": worlds}
    save("world_chain", data)
    (RESULTS / "world_chain.md").write_text(as_text(data) + "\n", encoding="utf-8")
    print(as_text(data))


if __name__ == "__main__":
    main()
