"""How fast the engine `hf` samples, beside an earlier commit of this repository, in turns; writes benchmarks/results/sampling.{json,md}.

    python benchmarks/sampling.py --model FOLDER [--against 08e505a] [--rounds 2]

FOLDER holds SmolLM2-135M-Instruct; the embedded judge is made of the package's own weights. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]
CELLS: dict[str, dict[str, Any]] = {
    "P 512, G 8, 3 problems, 96 new, fp32": {"length": 512, "problems": 3, "new": 96, "dtype": "float32", "target": 2.5},
    "the same, bf16": {"length": 512, "problems": 3, "new": 96, "dtype": "bfloat16", "target": 2.5},
    "the same, default dtype": {"length": 512, "problems": 3, "new": 96, "dtype": "auto", "target": 5.0},
    "skewed lengths up to 200, fp32": {"length": 512, "problems": 3, "new": 200, "dtype": "float32", "stop": ["."], "target": 3.0},
    "embedded judge, P 60, G 8, 48 problems": {"length": 60, "problems": 48, "new": 112, "dtype": "auto", "embedded": True, "target": 1.0},
}
"""`target` is the least share of the earlier commit's tokens per second."""


def one(cell: dict[str, Any], model: str) -> dict[str, Any]:
    """Sample a cell here and say how it went."""
    from adjudge_engines import HfEngine

    with HfEngine(dtype=cell["dtype"], device="cpu").open(Path(model)) as session:
        prompts: list[Any] = [chat for problem in range(cell["problems"]) for chat in [_prompt(session, problem, cell["length"])] * 8]
        list(session.sample(prompts[:2], seeds=[0, 1], temperature=1.0, top_p=1.0, max_new_tokens=2))  # what is tried out once
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        found = dict(
            session.sample(
                prompts, seeds=list(range(len(prompts))), temperature=1.0, top_p=1.0, max_new_tokens=cell["new"], stop=cell.get("stop", [])
            )
        )
        seconds = time.perf_counter() - start
    lengths = [len(found[index].token_ids) for index in range(len(prompts))]
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"seconds": seconds, "tokens": sum(lengths), "mean": statistics.mean(lengths), "longest": max(lengths), "extra_mib": memory}


def _prompt(session: Any, problem: int, length: int) -> list[dict[str, str]]:
    text = f"{problem}: "
    while len(session.encode([{"role": "user", "content": text}])) < length:
        text += f"{problem + 3}+{len(text) % 89}=" if length < 100 else " The second answer names the right sum."
    return [{"role": "user", "content": text}]


def measure(cell: dict[str, Any], model: str, source: Path) -> dict[str, Any]:
    """`one` in a process that has the code in `source`."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source / "core"), str(source / "plugins")])}
    told = subprocess.run(
        [sys.executable, __file__, "--model", model, "--one", json.dumps(cell)], env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def compare(model: str, against: str, rounds: int, only: str) -> dict[str, Any]:
    from adjudge import find_model

    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(earlier), against], check=True, capture_output=True)
        try:
            cells = {}
            for name, cell in CELLS.items():
                if only not in name:
                    continue
                weights = str(find_model("adjudge_arithmetic:model")) if cell.get("embedded") else model
                runs: dict[str, list[dict[str, Any]]] = {"earlier": [], "now": []}
                for _ in range(rounds):
                    for side, source in (("earlier", earlier), ("now", ROOT)):
                        runs[side].append(measure(cell, weights, source))
                cells[name] = {"target": cell["target"], **runs}
                print(row(name, cells[name]), flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)
    return {"against": against, "rounds": rounds, "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg(), "cells": cells}


def row(name: str, cell: dict[str, Any]) -> str:
    """A line of the table: medians, and the median of the rounds' ratios."""
    speed = {side: [run["tokens"] / run["seconds"] for run in cell[side]] for side in ("earlier", "now")}
    ratio = statistics.median(now / earlier for now, earlier in zip(speed["now"], speed["earlier"], strict=True))
    memory = [statistics.median(run["extra_mib"] for run in cell[side]) for side in ("earlier", "now")]
    middle = {side: statistics.median(values) for side, values in speed.items()}
    last = cell["now"][-1]
    return (
        f"| {name} | {last['mean']:.0f} / {last['longest']} | {middle['earlier']:.0f} | {middle['now']:.0f}"
        f" | {ratio:.2f} x | {cell['target']} x | {memory[0]:.0f} | {memory[1]:.0f} |"
    )


def table(found: dict[str, Any]) -> str:
    head = (
        f"# Sampling in `hf`, beside commit {found['against']}\n\nMade by `python benchmarks/sampling.py`; {found['rounds']} rounds in"
        f" turns, {found['cores']} cores, load {found['load'][0]:.1f}.\nSpeeds are tokens per second (medians); memory is what sampling"
        " adds, in MiB.\n\n| cell | tokens, mean / longest | earlier | now | ratio | target | memory earlier | memory now |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(row(name, cell) for name, cell in found["cells"].items()) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--against", default="08e505a")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="cells whose name holds this, printed and not written")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(json.loads(options.one), options.model)))
        return
    found = compare(options.model, options.against, options.rounds, options.only)
    if options.only:
        return
    (RESULTS / "sampling.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "sampling.md").write_text(table(found))


if __name__ == "__main__":
    main()
