"""What it costs to start: processor time of small commands beside that of importing what any such program imports.

``python benchmarks/startup.py`` runs each command 20 times, all of them in turn, and writes ``results/startup.json`` and
``results/startup.md``. The yardstick is ``python -c "import typer, pydantic, rich.console"``. ``--before FOLDER`` names a checkout of an
earlier build, whose commands are then run in the same turns.
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
from pathlib import Path

from bench import RESULTS, ROOT, save, table

TURNS = 20
YARDSTICK = "import typer, pydantic, rich.console"
AIMS = {"adjudge --help": 1.6, "adjudge plugins": 2.5, "adjudge judge, one pair through replay": 3.0}
"""The most that each may cost, as a multiple of the yardstick."""


def processor_seconds(command: list[str], **options: object) -> float:
    """User and system time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(folder: Path) -> dict[str, list[str]]:
    """The commands that are measured, with their arguments."""
    rows, texts, model = folder / "pairs.jsonl", folder / "texts.jsonl", folder / "model"
    model.mkdir()
    (model / "judge.json").write_text('{"use": "arithmetic", "order": "fixed"}')
    rows.write_text(json.dumps({"prompt": "37+48", "answers": ["85", "75"]}) + "\n")
    texts.write_text(json.dumps({"prompt": "37+48\n1:85\n2:75", "texts": ["\\boxed{Assistant 1}"]}) + "\n")
    engine = f"{{use: replay, file: {texts}}}"
    return {
        "adjudge --help": ["--help"],
        "adjudge plugins": ["plugins"],
        "adjudge judge, one pair through replay": ["judge", str(rows), "--model", str(model), "--engine", engine, "--no-cache", "--json"],
    }


def measure(before: Path | None) -> dict[str, list[float]]:
    """Seconds of every command in every turn."""
    builds = {"": ROOT, **({} if before is None else {"before: ": before})}
    found: dict[str, list[float]] = {"yardstick": []}
    with tempfile.TemporaryDirectory() as place:
        calls = commands(Path(place))
        for _ in range(TURNS + 1):  # the first turn fills the disk's cache and writes bytecode, and is left out
            found["yardstick"].append(processor_seconds([sys.executable, "-c", YARDSTICK]))
            for label, root in builds.items():
                environment = {**os.environ, "PYTHONPATH": f"{root / 'core'}{os.pathsep}{root / 'plugins'}"}
                for name, arguments in calls.items():
                    seconds = processor_seconds([sys.executable, "-m", "adjudge", *arguments], env=environment, cwd=place)
                    found.setdefault(label + name, []).append(seconds)
    return {name: seconds[1:] for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="checkout of an earlier build")
    seconds = measure(parser.parse_args().before)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {name: medians[name] / medians["yardstick"] for name in medians}
    rows = [
        [f"`{name}`", f"{medians[name]:.3f} s", f"{ratios[name]:.2f}", "" if name not in AIMS else f"{AIMS[name]:.1f}"] for name in medians
    ]
    (RESULTS / "startup.md").write_text(
        f'Processor time, median of {TURNS} turns; the yardstick is `python -c "{YARDSTICK}"`.\n\n'
        + table(["command", "processor time", "times the yardstick", "aim, at most"], rows)
        + "\n"
    )
    save("startup", {"turns": TURNS, "seconds": seconds, "medians": medians, "ratios": ratios, "aims": AIMS})
    late = {name: round(ratios[name], 2) for name in AIMS if ratios[name] > AIMS[name]}
    if late:
        sys.exit(f"above the aim: {late}")


if __name__ == "__main__":
    main()
