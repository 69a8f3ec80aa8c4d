"""Measurement 4: how well each scorer tells sound paths from false ones where every path reaches the right verdict.

The adversarial sets of the three worlds, scored by each world's judge as it ships; another seed is other questions and other paths.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import number, spread, table
from without_labels_pools import PLUGINS, opened, problems_of
from without_labels_ways import auc, scores
from without_labels_worlds import World

PROBLEMS = 40


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """The area under the curve of every scorer: over all false paths, and of the seldom written sound paths alone."""
    problems = problems_of({"use": f"{world.dataset}-adversarial", "size": world.count(PROBLEMS), "seed": seed})
    with opened(world, seed) as judge:
        groups = [
            (problem, [judge.read(problem, row["text"], "given", place) for place, row in enumerate(problem.meta["paths"])])
            for problem in problems
        ]
        known, found, refused = scores(judge, groups, PLUGINS)
    cases = {
        path.id: row["case"] for problem, paths in groups for path, row in zip(paths, problem.meta["paths"], strict=True)
    }  # fmt: skip
    areas = {}
    for name, rows in found.items():
        values: dict[str, list[float]] = defaultdict(list)
        for paths, row in zip(known, rows, strict=True):
            for path, value in zip(paths, row, strict=True):
                if value is not None:
                    values[cases[path.id]].append(value)
        areas[name] = {
            "auc": auc(values["usual"] + values["rare"], values["cancelled"]),
            "usual": auc(values["usual"], values["cancelled"]),
            "rare": auc(values["rare"], values["cancelled"]),
        }
    return {"paths": len(cases), "auc": areas, "refused": refused}


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """For every scorer and world, the area over all paths and over the seldom written ones; the best scorers first."""
    worlds = list(results)
    names = [name for name in results[worlds[0]][0]["auc"] if all(name in one["auc"] for found in results.values() for one in found)]
    cells = {name: {world: area(results[world], name) for world in worlds} for name in names}
    names.sort(key=lambda name: -sum(cells[name][world]["auc"]["mean"] if cells[name][world]["auc"] else 0.5 for world in worlds))
    rows = [[name, *(text(cells[name][world][which]) for world in worlds for which in ("auc", "rare"))] for name in names]
    head = ["scorer", *(f"{world}: {what}" for world in worlds for what in ("sound above false", "rare above false"))]
    return table(head, rows)


def area(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Mean and interval over the seeds; None where a scorer scores none of the paths."""
    known = {which: [one["auc"][name][which] for one in found] for which in ("auc", "rare")}
    return {which: None if None in values else spread(values) for which, values in known.items()}


def text(found: dict[str, Any] | None) -> str:
    return "–" if found is None else number(found)
