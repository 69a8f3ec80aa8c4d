"""How fast the engine `hf` samples, beside an earlier commit of this repository and vLLM; writes benchmarks/results/sampling.{json,md},
or sampling_without_bf16.{json,md} on a CPU that does not multiply bfloat16 by itself, where everything but float32 is slow.

    python benchmarks/sampling.py --model FOLDER [--against 08e505a] [--rounds 2]

FOLDER holds SmolLM2-135M-Instruct; the embedded judge is made of the package's own weights. Each run is a process of its own, in turns.
vLLM is asked where `make test-vllm` has made its environment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

from adjudge_engines import fast_bfloat16

VLLM = ROOT / ".venv-vllm" / "bin" / "python"
LONG: dict[str, Any] = {"length": 512, "problems": 3, "new": 96}
CELLS: dict[str, dict[str, Any]] = {
    "P 512, G 8, 3 problems, 96 new, fp32": {**LONG, "dtype": "float32", "target": 2.5},
    "the same, bf16": {**LONG, "dtype": "bfloat16", "target": 2.5},
    "the same, default dtype": {**LONG, "dtype": "auto", "target": 5.0},
    "the same, bf16, beside vLLM": {**LONG, "dtype": "bfloat16", "target": 0.8, "vllm": True},
    "skewed lengths up to 200, fp32": {"length": 512, "problems": 3, "new": 200, "dtype": "float32", "stop": ["."], "target": 3.0},
    "embedded judge, P 60, G 8, 48 problems": {"length": 60, "problems": 48, "new": 112, "dtype": "auto", "embedded": True, "target": 1.0},
    "a GRPO step, 4 x 8 rollouts of 48, LoRA": {"problems": 4, "new": 48, "steps": 3, "target": 2.5},
    "the same, every group teaches": {"problems": 4, "new": 48, "steps": 3, "target": 2.5, "teaches": True},
    "the same, prompts of 270 tokens": {
        "problems": 4,
        "new": 48,
        "steps": 3,
        "target": 2.5,
        "teaches": True,
        "words": 200,
        "micro_batch": 8,
    },
}
"""`target` is the least share of the other side's tokens per second."""
TINY = {"problems": 1, "new": 4}
"""What `--tiny` makes of every cell, to see that it works."""
HEAD = (
    "cell", "tokens, mean / longest", "tokens/s, other", "now", "ratio", "target", "seconds, other", "now",
    "extra memory, MiB, other", "now", "groups that taught, other", "now",
)  # fmt: skip


def measure(cell: dict[str, Any], model: str, source: Path, python: str = sys.executable) -> dict[str, Any]:
    """A cell in a process that has the code in `source`."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source / "core"), str(source / "plugins")])}
    side = Path(__file__).parent / "sampling_side.py"
    told = subprocess.run([python, str(side), json.dumps(cell), model], env=env, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def compare(cell: dict[str, Any], model: str, earlier: Path, rounds: int) -> dict[str, Any]:
    """Both sides of a cell in turns: the other one is vLLM, or the earlier build."""
    from adjudge import find_model

    weights = str(find_model("adjudge_arithmetic:model")) if cell.get("embedded") else model
    runs: dict[str, list[dict[str, Any]]] = {"other": [], "now": []}
    for _ in range(rounds):
        if cell.get("vllm"):
            runs["other"].append(measure(cell, weights, ROOT, str(VLLM)))
        else:
            runs["other"].append(measure(cell, weights, earlier))
        runs["now"].append(measure({**cell, "vllm": False}, weights, ROOT))
    return {"target": cell["target"], **runs}


def row(name: str, cell: dict[str, Any]) -> list[str]:
    """Medians, and the median of the rounds' ratios."""
    if "skipped" in cell:
        return [name, cell["skipped"], *[""] * (len(HEAD) - 2)]
    sides = ("other", "now")
    speed = {side: [run["tokens"] / run["seconds"] for run in cell[side]] for side in sides}
    ratio = statistics.median(now / other for now, other in zip(speed["now"], speed["other"], strict=True))
    seconds, memory = ([statistics.median(run[what] for run in cell[side]) for side in sides] for what in ("seconds", "extra_mib"))
    last = cell["now"][-1]
    return [
        name, f"{last['mean']:.0f} / {last['longest']}", *(f"{statistics.median(speed[side]):.3g}" for side in sides), f"{ratio:.2f} x",
        f"{cell['target']} x", *(f"{value:.1f}" for value in seconds), *(f"{value:.0f}" for value in memory),
        *(f"{cell[side][-1]['taught']} of {cell[side][-1]['groups']}" if "taught" in last else "" for side in sides),
    ]  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    head = (
        f"The other side is commit {found['against']}, or vLLM where that is said; {found['rounds']} rounds in turns,"
        f" {found['cores']} cores, load {found['load'][0]:.1f}.\nMedians; of GRPO seconds are those of a step. vLLM's memory is in"
        " processes of its own.\n\n"
    )
    return head + table(HEAD, [row(name, cell) for name, cell in found["cells"].items()]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--against", default="08e505a")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="cells whose name holds this; the others keep their figures")
    parser.add_argument("--tiny", action="store_true", help="a few tokens of every cell, printed and not written")
    options = parser.parse_args()
    found = {"against": options.against, "rounds": options.rounds, "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()}
    cells: dict[str, Any] = {}
    git = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        subprocess.run([*git, "add", "--detach", str(earlier), options.against], check=True, capture_output=True)
        try:
            for name, cell in CELLS.items():
                if options.only not in name:
                    continue
                if cell.get("vllm") and not VLLM.exists():
                    cells[name] = {"skipped": "vLLM is not here: make test-vllm makes its environment"}
                else:
                    cells[name] = compare({**cell, **(TINY if options.tiny else {})}, options.model, earlier, options.rounds)
                print(" | ".join(row(name, cells[name])), flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)
    if not options.tiny:
        name = "sampling" if fast_bfloat16() else "sampling_without_bf16"
        file = RESULTS / f"{name}.json"
        kept = json.loads(file.read_text(encoding="utf-8")) if options.only and file.exists() else {"cells": {}}
        if kept.get("rounds", options.rounds) != options.rounds or kept.get("against", options.against) != options.against:
            raise SystemExit(f"{file.name} has {kept['rounds']} rounds against {kept['against']}: ask for as many, or for all cells")
        named = {**kept["cells"], **cells}
        found = {**found, **kept, "cells": {name: named[name] for name in CELLS if name in named}}
        save(name, found)
        (RESULTS / f"{name}.md").write_text(shown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
