"""A run from sampling to report at a tenth of ReasonGRM's size: memory over its time, disk, and the time of adjudge's own work.

``python benchmarks/scale_run.py`` takes 8,000 problems with 8 paths of 500 tokens through evaluation, sampling, R⋆, selection, rows for
SFT, evaluation and report, in a process of its own, and a quarter of that before, so that what grows with the problems can be told from
what does not. Completions come from an engine that takes no time; TRL's training is left out. Writes ``results/scale_run.json``, ``.md``
and ``.svg``, and what 80,000 problems take by these numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table
from scale_side import TOKENS

SIDE = Path(__file__).parent / "scale_run_side.py"
EVERY = 0.25
"""Seconds between two looks at the memory."""
WHOLE = 80_000
"""Problems of the run that is computed."""
POINTS = 400
FIXED = ("evaluation before", "libraries of training", "evaluation after")
"""Phases whose work does not grow with the problems."""


def resident_mib(pid: int) -> float:
    """Memory of a process and of those that it started."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it is gone
        return 0.0
    own = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
    return own + sum(map(resident_mib, map(int, children)))


def measured(problems: int, paths: int, tests: int) -> dict[str, Any]:
    """One run: its phases with their beginnings, its memory over time, and what it leaves on disk."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/core:{ROOT}/plugins:{ROOT}/benchmarks", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as told:
        words = [sys.executable, str(SIDE), folder, *map(str, (problems, paths, tests))]
        began, load = time.monotonic(), os.getloadavg()[0]
        process, curve = subprocess.Popen(words, env=environment, stdout=told), []
        while process.poll() is None:
            curve.append((time.monotonic() - began, resident_mib(process.pid)))
            time.sleep(EVERY)
        if process.returncode:
            raise SystemExit(f"the run ended with {process.returncode}")
        told.seek(0)
        phases = [(one["phase"], one["at"] - began) for one in map(json.loads, told)]
        rows = json.loads(next(Path(folder).glob("run/stages/1-*/result.json")).read_text())["metrics"]
        disk = {"records": size(folder, "run/records/*.jsonl"), "token files": size(folder, "run/records/*.tokens/*")}
        disk |= {"indices": size(folder, "run/records/*.index"), "rows for SFT": rows["rows_bytes"]}
    step = max(1, len(curve) // POINTS)
    thinned = [curve[place : place + step] for place in range(0, len(curve), step)]
    return {
        "problems": problems,
        "paths": problems * paths,
        "tests": tests,
        "load_before": load,
        "phases": phases,
        "curve": [(round(some[0][0], 2), round(max(mib for _, mib in some), 1)) for some in thinned],
        "disk_bytes": disk,
        "selected": rows["selected"],
        "right": rows["right"],
    }  # fmt: skip


def size(folder: str, pattern: str) -> int:
    return sum(one.stat().st_size for one in Path(folder).glob(pattern))


def peak(run: dict[str, Any], phase: str | None = None) -> float:
    """The most memory in MiB, in a phase or in all."""
    spans = list(zip(run["phases"], run["phases"][1:], strict=False))
    inside = [(start, end) for (name, start), (_, end) in spans if phase in (None, name)]
    return max((mib for at, mib in run["curve"] for start, end in inside if start <= at <= end), default=0.0)


def seconds(run: dict[str, Any]) -> dict[str, float]:
    """How long each phase took, in the order in which they came."""
    return {name: end - start for (name, start), (_, end) in zip(run["phases"], run["phases"][1:], strict=False)}


def whole(part: dict[str, Any], full: dict[str, Any], of: Any) -> float:
    """What a number that grows with the problems is at `WHOLE`: the line through both runs, and never less than the larger one's."""
    slope = (of(full) - of(part)) / (full["problems"] - part["problems"])
    return float(max(of(full), of(full) + slope * (WHOLE - full["problems"])))


def shown(data: dict[str, Any]) -> str:
    part, full = data["runs"]
    rows, times, memory = [], list[float](), list[float]()
    for phase in seconds(full):
        took = seconds(full)[phase]
        times.append(took if phase in FIXED else took * WHOLE / full["problems"])
        memory.append(whole(part, full, lambda run, name=phase: peak(run, name)))
        rows.append([phase, f"{took:.0f} s", f"{peak(full, phase):,.0f} MiB", minutes(times[-1]), f"{memory[-1]:,.0f} MiB"])
    total = [f"{sum(seconds(full).values()):.0f} s", f"{peak(full):,.0f} MiB", minutes(sum(times)), f"{max(memory):,.0f} MiB"]
    rows.append(["all", *total])
    disk = [
        [name, f"{there / 1e9:.2f} GB", f"{whole(part, full, lambda run, name=name: run['disk_bytes'][name]) / 1e9:.1f} GB"]
        for name, there in full["disk_bytes"].items()
    ]  # fmt: skip
    paths = full["paths"] // full["problems"]
    measured, computed = f"{full['problems']:,} × {paths}", f"{WHOLE:,} × {paths}"
    heads = ["phase", f"{measured}: time", "most memory", f"{computed}: time", "most memory"]
    return (
        f"{full['problems']:,} problems, {full['paths']:,} paths of {data['tokens']} tokens, {full['tests']:,} problems held out;"
        f" load average of the machine {full['load_before']:.1f} before. The columns for {computed} are computed: memory and disk by"
        f" the line through this run and one of {part['problems']:,} problems, time in proportion, but for evaluation and libraries."
        f" The model's time for {WHOLE * paths * data['tokens']:,} tokens comes on top."
        f"\n\n{table(heads, rows)}\n\n{table(['on disk', measured, computed], disk)}\n"
    )


def minutes(duration: float) -> str:
    return f"{duration:.0f} s" if duration < 90 else f"{duration / 60:.0f} min"


def plot(run: dict[str, Any]) -> None:
    """Memory over time, the phases apart."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"svg.hashsalt": "scale_run", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = pyplot.subplots(figsize=(7.2, 2.8), layout="constrained")
        axes.plot([at for at, _ in run["curve"]], [mib for _, mib in run["curve"]], color="#1f6feb", linewidth=1.4)
        top = 1.25 * peak(run)
        for number, ((name, start), (_, end)) in enumerate(zip(run["phases"], run["phases"][1:], strict=False)):
            axes.axvspan(start, end, color="#8b949e", alpha=0.16 if number % 2 else 0.05, linewidth=0)
            if end - start > 0.04 * run["phases"][-1][1]:
                axes.text((start + end) / 2, top, name.replace(" and ", "\nand "), ha="center", va="top", fontsize=7)
        axes.set_xlim(0, run["phases"][-1][1])
        axes.set_ylim(0, 1.02 * top)
        axes.set_xlabel("seconds")
        axes.set_ylabel("memory, MiB")
        axes.set_title(f"{run['problems']:,} problems, {run['paths']:,} paths", loc="left", fontsize=9)
        figure.savefig(RESULTS / "scale_run.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--problems", type=int, default=WHOLE // 10)
    parser.add_argument("--paths", type=int, default=8, help="paths of each problem")
    parser.add_argument("--tests", type=int, default=1000, help="problems held out")
    parser.add_argument("--show", action="store_true", help="measure nothing, and write the table and the picture of the results again")
    given = parser.parse_args()
    if not given.show:
        runs = []
        for problems in (given.problems // 4, given.problems):
            runs.append(measured(problems, given.paths, given.tests))
            print(problems, {name: round(took, 1) for name, took in seconds(runs[-1]).items()}, f"{peak(runs[-1]):.0f} MiB", flush=True)
        save("scale_run", {"tokens": TOKENS, "runs": runs})
    data = json.loads((RESULTS / "scale_run.json").read_text(encoding="utf-8"))
    (RESULTS / "scale_run.md").write_text(shown(data), encoding="utf-8")
    plot(data["runs"][-1])
    print(shown(data))


if __name__ == "__main__":
    main()
