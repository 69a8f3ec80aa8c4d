"""What chooses well without labels, over seeds and the three embedded worlds: ``python benchmarks/without_labels.py``; hours on one core.

Every part is a module ``without_labels_PART.py`` with `measure`, which gives one world's and one seed's numbers, and `shown`, which makes
tables of them; `OF` names its worlds where they are not all. What is measured is kept under ``runs/without_labels`` as it comes, so a run
that was stopped goes on; remove a file there to measure it anew. Writes ``results/without_labels_PART.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from bench import RESULTS, ROOT, save
from without_labels_worlds import WORLDS, World

from adjudge import write_json

Results = dict[str, list[dict[str, Any]]]
"""Of every world, what was measured for each seed, in order."""


class Part(Protocol):
    """What a module of one part offers."""

    @staticmethod
    def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
        """Numbers of one world and seed; models and records go into the folder."""

    @staticmethod
    def shown(results: Results) -> str | dict[str, str]:
        """Tables for people; by their names where there are several files of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    named = sorted(file.stem.removeprefix("without_labels_") for file in Path(__file__).parent.glob("without_labels_*.py"))
    known = [name for name in named if hasattr(import_module(f"without_labels_{name}"), "measure")]
    parser.add_argument("--parts", nargs="+", choices=known, default=known)
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=5, help="0 = only write the tables of what is known")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "without_labels", help="where models and numbers are kept")
    parser.add_argument("--tiny", action="store_true", help="few problems, to see it work; writes no results")
    asked = parser.parse_args()
    for seed in range(asked.seeds):  # outermost, so that what is known after a while is known of all worlds
        for world in asked.worlds:
            for name in asked.parts:
                if world in getattr(part(name), "OF", WORLDS):
                    measured(name, replace(WORLDS[world], tiny=asked.tiny), seed, asked.work)
    for name in () if asked.tiny else asked.parts:
        finish(name, asked.work)


def measured(name: str, world: World, seed: int, work: Path) -> dict[str, Any]:
    """What one part says of one world and seed, measured unless it is known."""
    folder = work / ("tiny" if world.tiny else "whole") / name / f"{world.name}-{seed}"
    file = folder / "measured.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, part(name).measure(world, seed, folder))
        print(f"{name}: {world.name}, seed {seed}", flush=True)
    return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))


def finish(name: str, work: Path) -> None:
    """Write what is known of a part by now, worlds with fewer than two seeds left out."""
    found: Results = {}
    for world in WORLDS:
        files = sorted((work / "whole" / name).glob(f"{world}-*/measured.json"), key=lambda file: int(file.parent.name.split("-")[-1]))
        if len(files) > 1:
            found[world] = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    if not found:
        return
    save(f"without_labels_{name}", {"worlds": found})
    told = part(name).shown(found)
    seeds = "Seeds: " + ", ".join(f"{world} {len(measured)}" for world, measured in found.items()) + "."
    for table, page in ({"": told} if isinstance(told, str) else told).items():
        (RESULTS / f"without_labels_{name}{table and '_'}{table}.md").write_text(f"{page}\n\n{seeds}\n", encoding="utf-8")
        print(page)


def part(name: str) -> Part:
    return cast(Part, import_module(f"without_labels_{name}"))


if __name__ == "__main__":
    main()
