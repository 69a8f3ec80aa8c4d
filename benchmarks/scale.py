"""What it takes to sample, score and select from very many paths: this build beside an earlier one, each in processes of its own.

``python benchmarks/scale.py --before FOLDER`` measures both; FOLDER is a checkout of the build before token files
(``git worktree add FOLDER 08e505a``). Paths are synthetic and come from an engine that takes no time; what is measured is everything else:
records, scores, selection. ``--kills`` kills the writing process at 20 random moments and looks at what is left. Both write
``results/scale.json`` and ``.md``, each its own part.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import RESULTS, save, table

ROOT = Path(__file__).parent.parent
SIDE = Path(__file__).parent / "scale_side.py"


def measured(source: Path, *arguments: object) -> dict[str, Any]:
    """What one side tells of its work, with its peak memory in MiB and its seconds."""
    environment = {**os.environ, "PYTHONPATH": f"{source}/core:{source}/plugins", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(SIDE), *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{source}: {' '.join(map(str, arguments))}\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speed(builds: dict[str, Path], paths: int, records: int, rounds: int) -> dict[str, Any]:
    """Writing, scanning and opening, in turns; every build reads what it wrote."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in builds}
    sizes: dict[str, dict[str, float]] = {name: {} for name in builds}
    for number in range(rounds):
        for name in random.Random(number).sample(list(builds), len(builds)):
            with tempfile.TemporaryDirectory() as folder:
                for what, count in (("write", paths), ("scan", paths), ("write-many", records), ("open", records)):
                    told = measured(builds[name], what, folder, count)
                    found[name].setdefault(what, []).append(told["seconds"])
                    if "bytes_per_token" in told:
                        sizes[name]["bytes_per_token"] = told["bytes_per_token"]
                    print(name, what, count, {key: round(value, 3) for key, value in told.items()}, flush=True)
    return {"paths": paths, "tokens": 500, "records": records, "rounds": rounds, "seconds": found, "sizes": sizes}


def selection(builds: dict[str, Path], sizes: list[int]) -> list[dict[str, Any]]:
    """Sampling from an engine that takes no time, R⋆ and the choice of the best, for so many paths; 8 of each problem."""
    rows = []
    for size in sizes:
        for name, source in builds.items():
            if name == "before" and size > min(sizes):
                continue
            with tempfile.TemporaryDirectory() as folder:
                told = measured(source, "select", folder, size)
            rows.append({"build": name, "paths": size, **told})
            print(rows[-1], flush=True)
    return rows


def kills(count: int) -> dict[str, Any]:
    """The writer is killed so many times, and goes on each time; what is there then, and whether it is what was written."""
    draw, told = random.Random(0), {"kills": 0, "lost": 0, "twice": 0, "wrong": 0}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            environment = {**os.environ, "PYTHONPATH": f"{ROOT}/core:{ROOT}/plugins", "OMP_NUM_THREADS": "1"}
            writer = subprocess.Popen(
                [sys.executable, str(SIDE), "write-told", folder, "1000000"], env=environment, stdout=subprocess.PIPE, text=True
            )  # fmt: skip
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(draw.uniform(0.05, 1.5))
            os.kill(writer.pid, signal.SIGKILL)
            last = max((int(line) for line in writer.stdout.read().split("\n")[:-1]), default=-1)
            writer.wait()
            seen = measured(ROOT, "check", folder, last)
            told = {
                **told,
                "kills": told["kills"] + 1,
                "records": seen["records"],
                **{key: told[key] + seen[key] for key in ("lost", "twice", "wrong")},
            }
            print(told, flush=True)
    return told


def shown(data: dict[str, Any]) -> str:
    parts = []
    if one := data.get("speed"):
        middle = {name: {what: statistics.median(seconds) for what, seconds in found.items()} for name, found in one["seconds"].items()}
        tokens = one["paths"] * one["tokens"]
        rows = []
        for what, label in (("write", "writing"), ("scan", "scanning numbers"), ("open", "opening to go on")):
            times = [middle[name][what] for name in ("before", "now")]
            unit = [f"{tokens / seconds / 1e6:.1f} M tokens/s" if what != "open" else f"{seconds:.2f} s" for seconds in times]
            rows.append([label, *unit, f"{times[0] / times[1]:.1f} x"])
        sizes = [one["sizes"][name]["bytes_per_token"] for name in ("before", "now")]
        rows.append(["bytes a token, beside the text", *(f"{size:.1f}" for size in sizes), f"{sizes[0] / sizes[1]:.1f} x"])
        parts.append(
            f"Medians of {one['rounds']} rounds. Writing and scanning: {one['paths']:,} paths of {one['tokens']} tokens; opening: a file "
            f"of {one['records']:,} records without tokens."
        )
        parts.append(table(["what", "before", "now", "ratio"], rows))
    if one := data.get("selection"):
        rows = [[row["build"], f"{row['paths']:,}", f"{row['peak_mib']:,.0f} MiB", f"{row['seconds']:.0f} s"] for row in one]
        parts.append(
            "From sampling to the chosen paths, with R⋆, for problems of 8 paths with 500 tokens each; memory is the process's peak."
        )
        parts.append(table(["build", "paths", "peak memory", "time"], rows))
    if one := data.get("kills"):
        parts.append(
            f"Killed {one['kills']} times at random moments of writing, {one['records']:,} records in the end: {one['lost']} lost that "
            f"were written, {one['twice']} twice, {one['wrong']} not as they were written."
        )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of the build before token files")
    parser.add_argument("--paths", type=int, default=200_000, help="paths to select from")
    parser.add_argument("--written", type=int, default=10_000, help="paths to write and scan")
    parser.add_argument("--records", type=int, default=1_000_000, help="records of a file to open")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("speed", "selection"), help="measure this alone, and keep what is known of the other")
    parser.add_argument("--kills", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "scale.json"
    data = {key: value for key, value in json.loads(file.read_text()).items() if key != "machine"} if file.exists() else {}
    if given.kills:
        data["kills"] = kills(20)
    else:
        builds = {"now": ROOT, **({"before": given.before.resolve()} if given.before else {})}
        if given.only != "selection":
            data["speed"] = speed(builds, given.written, given.records, given.rounds)
            save("scale", data)
        if given.only != "speed":
            data["selection"] = selection(builds, [given.paths, 2 * given.paths])
    save("scale", data)
    (RESULTS / "scale.md").write_text(shown(data), encoding="utf-8")
    print(shown(data))


if __name__ == "__main__":
    main()
