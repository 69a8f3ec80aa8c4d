"""ReasonGRM's ablation, R⋆ against chance and the other scorers: ``python benchmarks/scorer_ablation.py``.

Which right path to fine-tune on? For each of five seeds: Zero-RL once, one pool of eight paths for each of 1,000 problems, and from
that same pool one fine-tuning per scorer, each from the same weights. Differences to chance are paired by seed. Writes
``results/scorer_ablation.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, number, of_seed, over_seeds, run, save, spread, table

DEMO = ROOT / "docs" / "runs" / "demo.yaml"
ABLATION = ROOT / "docs" / "runs" / "ablation.yaml"
SCORERS = ("rstar", "self-consistency", "validity", "mean-logprob", "likelihood", "shortest", "longest", "random")


def runs_of_seed(work: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    """One run per scorer. The pool is sampled in the first; the others find its records and, being the same, take them over."""
    zero = run(DEMO, work / f"zero-{seed}", *of_seed(seed), "stages=[{use: grpo, steps: 20, learning_rate: 1.0e-4}]")
    model = work / f"zero-{seed}" / "stages" / zero[-1]["name"] / "model"
    found: dict[str, list[dict[str, Any]]] = {}
    first = work / f"{SCORERS[0]}-{seed}"
    for scorer in SCORERS:
        out = work / f"{scorer}-{seed}"
        if scorer != SCORERS[0] and not out.exists():
            (out / "records").mkdir(parents=True)
            for file in (*first.glob("records/0-base-*.jsonl"), first / "records" / "1-sft-paths.jsonl"):
                shutil.copy(file, out / "records")
        found[scorer] = run(ABLATION, out, *of_seed(seed), f"model={model}", f"stages.0.scorer={scorer}")
    return found


def summarise(seeds: list[int], runs: list[dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    def values(scorer: str, name: str, field: str) -> list[float]:
        return [found[scorer][1]["evaluation"][name][field] for found in runs]

    def minus_chance(scorer: str, name: str) -> list[float]:
        return [one - other for one, other in zip(values(scorer, name, "accuracy"), values("random", name, "accuracy"), strict=True)]

    pools = [found["rstar"][1]["metrics"] for found in runs]
    return {
        "seeds": seeds,
        "zero_rl": {name: spread([found["rstar"][0]["evaluation"][name]["accuracy"] for found in runs]) for name in ("standard", "graded")},
        "pool": {
            "paths": [pool["paths"] for pool in pools],
            "right": spread([pool["right"] / pool["paths"] for pool in pools]),
            "sound_of_all": spread([pool["sound"]["paths"] for pool in pools]),
            "sound_of_right": spread([pool["sound"]["right"] for pool in pools]),
        },
        "scorers": {
            scorer: {
                "sound_of_selected": spread([found[scorer][1]["metrics"]["sound"]["selected"] for found in runs]),
                **{
                    f"{name}_{field}": spread(values(scorer, name, field))
                    for name in ("standard", "graded")
                    for field in ("accuracy", "sound", "mean_tokens")
                },
                **{f"{name}_minus_random": spread(minus_chance(scorer, name)) for name in ("standard", "graded")},
            }
            for scorer in SCORERS
        },
    }


def as_text(data: dict[str, Any]) -> str:
    rows = [
        [
            scorer,
            number(row["sound_of_selected"]),
            number(row["graded_accuracy"]),
            number(row["graded_minus_random"], "+"),
            number(row["graded_sound"]),
        ]
        for scorer, row in sorted(data["scorers"].items(), key=lambda item: -item[1]["graded_accuracy"]["mean"])
    ]
    head = ["scorer", "sound among selected", "accuracy after SFT, graded", "minus random, paired", "sound paths after SFT"]
    pool = data["pool"]
    return (
        f"Mean over seeds {data['seeds']} with Student's 95% interval. Before fine-tuning: accuracy {number(data['zero_rl']['graded'])} on"
        f" the graded set; of all paths {pool['sound_of_all']['mean']:.3f} are sound,"
        f" of the right ones {pool['sound_of_right']['mean']:.3f}."
        "\n\n" + table(head, rows)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "ablation", help="where the runs are kept")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    data = summarise(seeds, over_seeds(lambda seed: runs_of_seed(options.work, seed), seeds))
    save("scorer_ablation", data)
    (RESULTS / "scorer_ablation.md").write_text(as_text(data) + "\n", encoding="utf-8")
    print(as_text(data))


if __name__ == "__main__":
    main()
