"""Processor time of `make demo` after installation, beside an earlier commit: ``python benchmarks/demo_time.py [--against 08e505a]``.

Both builds run docs/runs/demo.yaml in turns, on one thread each; writes benchmarks/results/demo_time.{json,md}. A stage's seconds are
those that the process used between the results of the stage before and its own, evaluation included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

DEMO = ROOT / "docs" / "runs" / "demo.yaml"
STAGES = ("0-base", "1-grpo", "2-sft", "3-grpo")
SETS = ("standard", "graded")
TARGET = 0.8
"""The most of the earlier build's time that is asked for."""
TINY = ("data.size=40", "stages.0.steps=2", "stages.2.steps=2", "evaluation.sets.standard.size=40", "evaluation.sets.graded.size=40")
"""What `--tiny` makes of the run, to see that it works."""


def used(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(source: Path, out: Path, sets: tuple[str, ...]) -> dict[str, Any]:
    """A run with the code in `source`: seconds by stage and in all, and what each stage's evaluation says."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source / "core"), str(source / "plugins")]), "OMP_NUM_THREADS": "1"}
    settings = [word for setting in (f"out={out}", "reporters=[]", *sets) for word in ("--set", setting)]
    with subprocess.Popen([sys.executable, "-m", "adjudge", "run", str(DEMO), *settings], env=env, cwd=source) as process:
        marks, seconds = [0.0], 0.0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            seconds = used(process.pid)
            if len(marks) <= len(STAGES) and (out / "stages" / STAGES[len(marks) - 1] / "result.json").exists():
                marks.append(seconds)
            time.sleep(0.05)
        seconds = used(process.pid)  # an ended process is known until it is waited for
        if process.wait():
            raise SystemExit(f"the run in {source} ended with code {process.returncode}")
    marks = [*marks, *[seconds] * (len(STAGES) + 1 - len(marks))]
    results = [json.loads((out / "stages" / name / "result.json").read_text()) for name in STAGES]
    return {
        "seconds": seconds,
        "stages": {name: after - before for name, before, after in zip(STAGES, marks, marks[1:], strict=False)},
        "accuracy": {
            name: {part: {key: result["evaluation"][part][key] for key in ("accuracy", "interval")} for part in SETS}
            for name, result in zip(STAGES, results, strict=True)
        },
    }


def inside(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether each of two accuracies lies within the other's interval."""
    return all(a["interval"][0] <= b["accuracy"] <= a["interval"][1] for a, b in ((one, other), (other, one)))


def shown(found: dict[str, Any]) -> str:
    rows = []
    for name in (*STAGES, "all"):
        seconds = {
            side: statistics.median(run["seconds"] if name == "all" else run["stages"][name] for run in found["runs"][side])
            for side in ("earlier", "now")
        }
        row = [name, *(f"{value:.1f}" for value in seconds.values()), f"{seconds['now'] / seconds['earlier']:.2f} x"]
        for part in SETS if name != "all" else ():
            pair = [found["runs"][side][0]["accuracy"][name][part] for side in ("earlier", "now")]
            row += [*(f"{one['accuracy']:.3f} ({one['interval'][0]:.3f} to {one['interval'][1]:.3f})" for one in pair)]
            row.append("yes" if inside(*pair) else "no")
        rows.append([*row, *[""] * (4 + 3 * len(SETS) - len(row))])
    head = ["stage", "processor seconds, earlier", "now", "ratio"]
    for part in SETS:
        head += [f"accuracy, {part}, earlier", "now", "each within the other's interval"]
    told = f"The earlier build is commit {found['against']}; {found['rounds']} rounds in turns, medians; the target is {TARGET} x.\n\n"
    return told + table(head, rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="08e505a")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="a small run, printed and not written")
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {"earlier": [], "now": []}
    git = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([*git, "add", "--detach", str(folder / "build"), options.against], check=True, capture_output=True)
        try:
            for number in range(options.rounds):
                for side, source in (("earlier", folder / "build"), ("now", ROOT)):
                    runs[side].append(measure(source, folder / f"{side}-{number}", TINY if options.tiny else ()))
                    print(side, json.dumps(runs[side][-1]), flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(folder / "build")], check=True)
    found = {"against": options.against, "rounds": options.rounds, "target": TARGET, "runs": runs}
    if not options.tiny:
        save("demo_time", found)
        (RESULTS / "demo_time.md").write_text(shown(found), encoding="utf-8")
    print(shown(found))


if __name__ == "__main__":
    main()
