"""What every recipe in ``docs/runs/recipes/`` would hold and compute on the devices that it names: arithmetic, run on no GPU.

``python benchmarks/recipe_plans.py`` writes ``results/recipe_plans.json`` and ``.md`` from each recipe's own ``adjudge plan`` command.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of

HERE = Path(__file__).parent
RECIPES = HERE.parent / "docs" / "runs" / "recipes"
GIB = 2**30
COLUMNS = ("recipe", "parameters", "GPUs", "memory of each", "tightest phase", "needs, GiB", "fits", "training steps, at most")


def plan(recipe: Path) -> dict[str, Any]:
    """A recipe's command, and what it says."""
    [command] = re.findall(r"^# (adjudge plan .*)$", recipe.read_text(encoding="utf-8"), re.MULTILINE)
    done = CliRunner().invoke(app_of(Plugins.load()), [*shlex.split(command)[1:], "--json"])
    if done.exit_code:
        raise SystemExit(f"{command}\n{done.output}")
    memory = json.loads(done.stdout)["memory"]
    tightest = max(memory["phases"], key=lambda phase: phase["total"][1] / phase["share"])
    given = re.search(r"--gpu-memory (\S+)", command)
    return {
        "recipe": recipe.stem, "command": command, "parameters": memory["parameters"], "gpus": memory["devices"],
        "gpu_memory": float(given[1]) if given else None, "sequence": memory["sequence"], "phases": memory["phases"],
        "tightest": tightest["what"], "share": tightest["share"], "needs": tightest["total"],
        "fits": _verdict([phase["fits"] for phase in memory["phases"]]) if given else "not asked",
        "training_seconds": memory["training_seconds"],
    }  # fmt: skip


def _verdict(fits: list[bool | None]) -> str:
    return "no" if False in fits else "perhaps" if None in fits else "yes"


def row(found: dict[str, Any]) -> list[str]:
    least, most = (f"{size / GIB:.0f}" for size in found["needs"])
    seconds = found["training_seconds"]
    hours = "unknown: it depends on the data" if seconds is None else f"{seconds[0] / 3600:,.0f} to {seconds[1] / 3600:,.0f} hours"
    size = f"{found['parameters'] / 1e9:.2f} billion"
    part = "" if found["share"] == 1 else f", in {found['share']:.0%} of it"
    return [
        found["recipe"],
        size,
        str(found["gpus"]),
        "not given" if found["gpu_memory"] is None else f"{found['gpu_memory']:g}",
        found["tightest"] + part,
        f"{least} to {most}",
        found["fits"],
        hours,
    ]


def table(plans: list[dict[str, Any]]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(row, plans)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(folder: Path = HERE / "results") -> None:
    plans = [plan(recipe) for recipe in sorted(RECIPES.glob("*.yaml"))]
    (folder / "recipe_plans.json").write_text(json.dumps(plans, indent=1) + "\n", encoding="utf-8")
    (folder / "recipe_plans.md").write_text(table(plans), encoding="utf-8")
    sys.stdout.write(table(plans))


if __name__ == "__main__":
    main()
