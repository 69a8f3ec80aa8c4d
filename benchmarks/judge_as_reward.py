"""RRM's experiment at a size that runs here: a policy learns to add from a judge's verdicts alone, or from what it is compared with.

    python benchmarks/judge_as_reward.py [--seeds 5] [--judges runs/demo]

The judges are those of ``docs/runs/demo.yaml``, which is run first unless its folder is complete; the policy is the embedded one, and every
reward trains it on the same questions of a seed. Writes ``results/judge_as_reward.json``, ``.md`` and ``.svg``. A run that is complete is
not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from bench import RESULTS, ROOT, number, run, save, spread, table

from adjudge import write_whole

DEMO = ROOT / "docs" / "runs" / "demo.yaml"
JUDGES = {"base judge": "", "after Zero-RL": "1-grpo", "after R⋆-SFT": "2-sft", "after GRPO on hard cases": "3-grpo"}
LAST = "after GRPO on hard cases"
KNOCKOUT: dict[str, Any] = {"aggregator": "knockout", "reward": "standardised"}
REWARDS: dict[str, tuple[str, Any]] = {
    "label (ceiling)": (LAST, "label"),
    "majority of the group (TTRL)": (LAST, "majority"),
    **{f"{judge}, knockout": (judge, KNOCKOUT) for judge in JUDGES},
    f"{LAST}, round robin": (LAST, {**KNOCKOUT, "aggregator": "round-robin"}),
    f"{LAST}, against the first policy": (LAST, {"against": "start"}),
}
"""Which judge is asked, in training or only where the policy is measured, and the stage's reward."""
STEPS, EVERY = 40, 5


def stage(reward: Any, seed: int) -> dict[str, Any]:
    return {
        "use": "policy", "model": "adjudge_arithmetic:answerer", "reward": reward,
        "data": {"use": "arithmetic", "levels": [1], "size": 1000, "seed": seed},
        "test": {"use": "arithmetic", "part": "test", "levels": [1], "size": 300, "seed": seed},
        "steps": STEPS, "measure_every": EVERY, "prompts_per_step": 16, "group": 8, "max_new_tokens": 8, "learning_rate": 1.0e-4,
    }  # fmt: skip


def trained(name: str, seed: int, judges: Path, out: Path) -> dict[str, Any]:
    """One policy: its curve, and the judge's tokens up to every step."""
    judge, reward = REWARDS[name]
    folder = out / f"{list(REWARDS).index(name)}-{seed}"
    model = str(judges / "stages" / JUDGES[judge] / "model") if JUDGES[judge] else "adjudge_arithmetic:model"
    if not (folder / "done.json").exists():
        file = out / f"{folder.name}.yaml"
        data = {"use": "arithmetic", "levels": [1], "size": 10}
        config = {"out": str(folder), "model": model, "seed": seed, "data": data, "stages": [stage(reward, seed)], "reporters": []}
        write_whole(file, yaml.safe_dump(config, sort_keys=False))
        subprocess.run(
            [sys.executable, "-m", "adjudge", "run", str(file)], check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    rows = {
        kind: [json.loads(line) for line in (folder / "records" / f"1-policy-{kind}.jsonl").read_text().splitlines()]
        for kind in ("curve", "steps")
    }
    curve = [
        {"step": row["step"], "right": row["share_right"], "judge": row["judge"], "undecided": row["undecided"]} for row in rows["curve"]
    ]
    return {"curve": curve, "judge_tokens": [row["judge_tokens"] for row in rows["steps"]]}


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Of every reward, before and after: right answers and the judge's number, and the tokens that the judge wrote for it."""
    return {
        name: {
            "right_before": spread([one["curve"][0]["right"] for one in made]),
            "right_after": spread([one["curve"][-1]["right"] for one in made]),
            "judge_before": spread([one["curve"][0]["judge"] for one in made]),
            "judge_after": spread([one["curve"][-1]["judge"] for one in made]),
            "judge_tokens": spread([one["judge_tokens"][-1] for one in made]),
        }
        for name, made in runs.items()
    }


def equal_tokens(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Right answers of both schemes at the last measurement for which neither had written more tokens than the cheaper one in all."""
    schemes = [f"{LAST}, knockout", f"{LAST}, round robin"]
    found: dict[str, list[float]] = {name: [] for name in schemes}
    for made in zip(*(runs[name] for name in schemes), strict=True):
        most = min(one["judge_tokens"][-1] for one in made)
        for name, one in zip(schemes, made, strict=True):
            spent = [0.0, *one["judge_tokens"]]
            found[name].append([row["right"] for row in one["curve"] if spent[row["step"]] <= most][-1])
    return {name: spread(values) for name, values in found.items()}


def plot(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Both curves of every reward, means over seeds."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(13, 5.4), sharex=True, sharey=True, layout="constrained")
    for place, (name, made) in enumerate(runs.items()):
        panel = axes.flat[place]
        steps = [row["step"] for row in made[0]["curve"]]
        for key, colour, said in (("right", "#1f6feb", "right answers"), ("judge", "#d1242f", "judge: points against the first policy")):
            for one in made:
                panel.plot(steps, [row[key] for row in one["curve"]], color=colour, alpha=0.2, linewidth=0.8)
            mean = [sum(one["curve"][index][key] for one in made) / len(made) for index in range(len(steps))]
            panel.plot(steps, mean, color=colour, linewidth=1.8, label=said)
        panel.set_title(name, fontsize=9)
        panel.set_ylim(0, 1.02)
        panel.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7, loc="lower right")
    figure.supxlabel("step")
    with matplotlib.rc_context({"svg.hashsalt": "judge_as_reward"}):
        figure.savefig(RESULTS / "judge_as_reward.svg", metadata={"Date": None})


def as_text(data: dict[str, Any]) -> str:
    head = ["reward", "right, first policy", "right, after", "judge's points, after", "judge's tokens, thousands"]
    rows = [
        [
            name,
            number(one["right_before"]),
            number(one["right_after"]),
            number(one["judge_after"]),
            f"{one['judge_tokens']['mean'] / 1000:.0f}",
        ]
        for name, one in data["rewards"].items()
    ]
    equal = [[name, number(one)] for name, one in data["equal_tokens"].items()]
    return (
        f"Means over seeds {data['seeds']} of the policy with Student's 95% interval; one chain of judges, seed 0; {STEPS} steps.\n\n"
        f"{table(head, rows)}\n\n{table(['at equal judge tokens', 'right'], equal)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--judges", type=Path, default=ROOT / "runs" / "demo")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "judge_as_reward")
    given = parser.parse_args()
    sys.argv[1:] = [f"--seeds={given.seeds}"]
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.judges / "done.json").exists():
        run(DEMO, given.judges)
    seeds = list(range(given.seeds))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in REWARDS}
    for seed in seeds:
        for name in REWARDS:
            runs[name].append(trained(name, seed, given.judges.absolute(), given.out.absolute()))
            print(seed, name, runs[name][-1]["curve"][-1], flush=True)
    data = {"seeds": seeds, "rewards": summary(runs), "equal_tokens": equal_tokens(runs), "runs": runs}
    save("judge_as_reward", data)
    write_whole(RESULTS / "judge_as_reward.md", as_text(data))
    plot(runs)


if __name__ == "__main__":
    main()
