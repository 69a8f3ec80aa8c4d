"""What the benchmarks share: runs in a process of their own, the machine they ran on, intervals over seeds, and result files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from adjudge import Plugins, describe_machine, write_json

ROOT = Path(__file__).parents[1]
Result = TypeVar("Result")
RESULTS = ROOT / "benchmarks" / "results"


def of_seed(seed: int) -> list[str]:
    """Settings for a seed: training, sampling, the training problems and the held-out problems all change with it."""
    fields = ("seed", "data.seed", "evaluation.sets.standard.seed", "evaluation.sets.graded.seed")
    return [f"{field}={seed}" for field in fields]


def run(file: Path, out: Path, *sets: str) -> list[dict[str, Any]]:
    """`adjudge run` with these settings; goes on where it stopped. Returns every stage's result, the base first.

    One thread each, so that two runs at a time fill two cores; the numbers are those of more threads.
    """
    threads = {"OMP_NUM_THREADS": "1"}
    settings = [word for setting in (f"out={out}", "reporters=[]", *sets) for word in ("--set", setting)]
    subprocess.run([sys.executable, "-m", "adjudge", "run", str(file), *settings], check=True, cwd=ROOT, env={**os.environ, **threads})
    names = json.loads((out / "done.json").read_text())["stages"]
    return [json.loads((out / "stages" / name / "result.json").read_text()) for name in names]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean over at least two seeds with Student's 95% interval."""
    from scipy import stats

    mean = sum(values) / len(values)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"mean": mean, "interval": [mean - half, mean + half], "values": list(values)}


def number(found: dict[str, Any], sign: str = "") -> str:
    """A mean with its interval."""
    low, high = found["interval"]
    return f"{found['mean']:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def over_seeds(work: Callable[[int], Result], seeds: Sequence[int], jobs: int = 2) -> list[Result]:
    """The work of every seed, two at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(work, seeds))


def save(name: str, data: dict[str, Any]) -> None:
    """Write a result file with the machine and the command that made it."""
    machine = describe_machine(Plugins.load(autoload=False))
    said = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]  # where it lay on this machine tells nobody
    machine["command"] = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *said]
    write_json(RESULTS / f"{name}.json", {"machine": machine, **data})
    print(f"wrote {RESULTS.relative_to(ROOT)}/{name}.json")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
