"""Where the suite's processor time goes, and what it was: ``python benchmarks/suite_time.py [FOLDER|FILE …] [--before CHECKOUT]``.

Runs the suite, or the folders and files that are named, a folder of ``tests/`` in one process at a time, and writes
``results/suite_time.json`` and ``results/suite_time.md``. With ``--before`` it runs the tests of a checkout of an earlier build and keeps
their figures beside those of this one. A folder that is not named keeps its figures. A test that fails is printed, and is no reason
to stop.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, save, table

SIDES = ("before", "now")
SHOWN = 10
NAMED = 0.5
"""Seconds from which a test is named in the result file; the others count in their file's sum."""


def folders(root: Path, chosen: Sequence[str]) -> dict[str, list[str]]:
    """Files to run by their folder."""
    found: dict[str, list[str]] = defaultdict(list)
    for place in chosen or ["tests"]:
        files = sorted((root / place).rglob("test_*.py")) if (root / place).is_dir() else [root / place]
        for file in files:
            found[file.parent.relative_to(root).as_posix()].append(file.relative_to(root).as_posix())
    return found


def clocked(root: Path, files: Sequence[str]) -> dict[str, Any]:
    """Processor seconds of every file, of the tests that take long, and of the process as a whole."""
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "told.json"
        sources = [str(root / "core"), str(root / "plugins"), str(Path(__file__).parent)]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment = {**plain, "PYTHONPATH": os.pathsep.join(sources), "SUITE_CLOCK": str(told), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "suite_clock", f"--basetemp={place}/tests", *files]
        subprocess.run(command, cwd=root, env=environment, check=False)
        found = json.loads(told.read_text(encoding="utf-8"))
    by_file: dict[str, float] = defaultdict(float)
    for name, seconds in found["tests"].items():
        by_file[name.split("::")[0]] += seconds
    tests = {name: round(seconds, 2) for name, seconds in found["tests"].items() if "::" in name}
    slow = {name: seconds for name, seconds in tests.items() if seconds >= NAMED}
    rounded = {name: round(seconds, 2) for name, seconds in by_file.items()}
    return {"seconds": round(found["whole"], 1), "count": len(tests), "files": rounded, "tests": slow}


def beside(found: Mapping[str, Any], kind: str) -> list[tuple[str, list[float | None]]]:
    """Every file or test of either side with its seconds before and now, the slowest first; None = under `NAMED` or absent."""
    sides = [{name: seconds for folder in found[side].values() for name, seconds in folder[kind].items()} for side in SIDES]
    names = sorted({*sides[0], *sides[1]}, key=lambda name: -max(side.get(name, 0) for side in sides))
    return [(name, [side.get(name) for side in sides]) for name in names]


def page(found: Mapping[str, Any]) -> str:
    """The tables: by folder, and the slowest tests of both sides. Sums are over the folders that were run on both."""
    rows = []
    for name in sorted({*found["before"], *found["now"]}):
        sides = [found[side].get(name) for side in SIDES]
        rows.append([f"`{name}`", *("" if side is None else f"{side['seconds']:,.0f} s, {side['count']:,} tests" for side in sides)])
    both = [name for name in found["before"] if name in found["now"]]
    before, now = (sum(found[side][name]["seconds"] for name in both) for side in SIDES)
    if both:
        rows.append(["**those run on both sides**", f"**{before:,.0f} s**", f"**{now:,.0f} s**, {now / before:.2f} times as much"])
    every = beside(found, "tests")
    told = [[f"`{name.removeprefix('tests/')}`", *("" if one is None else f"{one:.1f} s" for one in sides)]
            for name, sides in every if not both or name.split("::")[0].rsplit("/", 1)[0] in both]  # fmt: skip
    slowest = sorted(told, key=lambda row: -float((row[2] or "0").split()[0]))[:SHOWN]
    head = ["before", "now"]
    parts = [
        "Processor time, child processes included, one process a folder and one thread each. A folder that is not listed was not run; an "
        f"empty cell is a side on which it was not, or a test under {NAMED} s.",
        table(["folder", *head], rows),
        f"The {SHOWN} tests that took most on either side:",
        table(["test", *head], told[:SHOWN]),
    ]
    if both:
        parts += [f"The {SHOWN} that take most now:", table(["test", *head], slowest)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chosen", nargs="*", metavar="FOLDER|FILE", help="part of the suite, from the root of the checkout")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="run the tests of this checkout of an earlier build")
    given, file = parser.parse_args(), RESULTS / "suite_time.json"
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found = {side: earlier.get(side, {}) for side in SIDES}
    side, root = ("now", ROOT) if given.before is None else ("before", given.before.resolve())
    for folder, files in folders(root, given.chosen).items():
        found[side][folder] = clocked(root, files)
        save("suite_time", found)
    (RESULTS / "suite_time.md").write_text(page(found), encoding="utf-8")  # last, for the tests in tests/docs see that no page is stale


if __name__ == "__main__":
    main()
