"""What a newcomer meets: a fresh clone, `make demo`, `make test`, with time and disk: ``python benchmarks/fresh.py``.

Writes ``results/fresh.json`` and ``results/fresh.md``. Only committed work is in the clone. Fails when either command fails.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

from bench import RESULTS, ROOT, save, table


def timed(folder: Path, *command: str) -> float:
    """Seconds that a command takes there."""
    started = time.monotonic()
    subprocess.run(command, cwd=folder, check=True)
    return round(time.monotonic() - started, 1)


def disk(folder: Path) -> int:
    """MiB on disk."""
    done = subprocess.run(["du", "-sm", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def same_numbers(demo: Path) -> bool:
    """Whether the demo's evaluations are, to the last digit, those that `chain.py` recorded for seed 0."""
    recorded = json.loads((RESULTS / "chain.json").read_text(encoding="utf-8"))["runs"]["0"]
    found = [json.loads((demo / "stages" / stage["name"] / "result.json").read_text(encoding="utf-8")) for stage in recorded]
    return [stage["evaluation"] for stage in found] == [stage["evaluation"] for stage in recorded]


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "adjudge"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        install = timed(clone, "make", ".venv/installed")
        demo = timed(clone, "make", "demo")
        same = same_numbers(clone / "runs" / "demo")
        tests = timed(clone, "make", "test")
        found = {
            "install_seconds": install,
            "demo_seconds": demo,
            "test_seconds": tests,
            "demo_numbers_are_those_of_chain_seed_0": same,
            "venv_mib": disk(clone / ".venv"),
            "demo_run_mib": disk(clone / "runs" / "demo"),
        }
    save("fresh", found)
    rows = [
        ["installation, once", f"{install / 60:.1f} minutes", f"{found['venv_mib']:,} MiB"],
        ["`make demo` after it", f"{demo / 60:.1f} minutes", f"{found['demo_run_mib']} MiB"],
        ["`make test` after it", f"{tests / 60:.1f} minutes", ""],
    ]
    (RESULTS / "fresh.md").write_text(table(["", "time", "disk"], rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
