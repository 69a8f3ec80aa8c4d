"""Measurement 4: how well each scorer tells sound paths from false ones where every path reaches the right verdict.

The adversarial sets of the three worlds, scored by each world's judge as it ships; another seed is other questions and other paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_pools import PLUGINS, opened, problems_of
from without_labels_scorers import SHORT, mean
from without_labels_ways import SCORERS, auc, scores
from without_labels_worlds import World

from adjudge import OpenJudge

PROBLEMS = 20


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What each scorer makes of the set, and why some could not be asked."""
    with opened(world, seed) as judge:
        return deceived(judge, world, seed, SCORERS)


def deceived(judge: OpenJudge, world: World, seed: int, scorers: Mapping[str, Any]) -> dict[str, Any]:
    """The area under the curve of every scorer: over all false paths, and of the seldom written sound paths alone."""
    problems = problems_of({"use": f"{world.dataset}-adversarial", "size": world.count(PROBLEMS), "seed": seed})
    groups = [
        (problem, [judge.read(problem, row["text"], "given", place) for place, row in enumerate(problem.meta["paths"])])
        for problem in problems
    ]
    known, found, refused = scores(judge, groups, PLUGINS, scorers)
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


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Every scorer, and those that a short table has room for."""
    return {"": areas(results, list(SCORERS)), "short": areas(results, SHORT)}


def areas(results: dict[str, list[dict[str, Any]]], named: Sequence[str]) -> str:
    """For scorers and worlds, the area over all paths and over the seldom written ones; the best scorers first."""
    told = {
        name: {which: [[one["auc"][name][which] for one in found] for found in results.values()] for which in ("auc", "rare")}
        for name in named
        if all(name in one["auc"] for found in results.values() for one in found)
    }
    names = [name for name, of_name in told.items() if not any(None in values for values in of_name["auc"])]
    names.sort(key=lambda name: -fmean(map(fmean, told[name]["auc"])))
    rows = [[name, *(mean(values) for which in ("auc", "rare") for values in told[name][which])] for name in names]
    return table(["scorer", *(f"{world}: {what}" for what in ("sound above false", "rare above false") for world in results)], rows)
