"""Measurement 1, the second half: accuracy and soundness of judges fine-tuned on what each scorer chooses, with the label and without.

Scorers that choose the same paths make the same judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import number, spread, table
from without_labels_eligibility import name_of
from without_labels_pools import Pool
from without_labels_scorers import FILTERS, SHORT, mean
from without_labels_ways import SCORERS
from without_labels_worlds import World

SHOWN = {"right": "accuracy", "sound": "soundness"}


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """By scorer and rule: what was chosen, and the judge that was fine-tuned on it."""
    pool = Pool.of(world, seed, folder)
    found: dict[str, Any] = {}
    for name, scorer in SCORERS.items():
        made = {rule: pool.trained(name_of(rule, name), rule, scorer) for rule in FILTERS}
        found[name] = {rule: {"chosen": one["chosen"], "tried": one["tried"]} for rule, one in made.items()}
    return {"scorers": found, "before": pool.before}


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What every scorer teaches, and what those teach that a short table has room for."""
    return {"": taught(results, list(SCORERS)), "short": taught(results, SHORT)}


def taught(results: dict[str, list[dict[str, Any]]], named: Sequence[str]) -> str:
    """Accuracy, then soundness, after fine-tuning; the best scorers without a label first."""
    names = sorted(named, key=lambda name: -fmean(after(results, name, "none", "right")))
    head = [
        *(f"{world}: all" for world in results),
        "above R⋆, all runs",
        *(f"{world}: right ones" for world in results),
        "with the label above without",
    ]
    told = []
    for key, what in SHOWN.items():
        before = [mean([one["before"][key] for one in found]) for found in results.values()]
        rows = [["before fine-tuning", *before, "", *before, ""]]
        for name in names:
            cells = {rule: [mean(of(found, name, rule, key)) for found in results.values()] for rule in FILTERS}
            own, rstar, labelled = (after(results, *which, key) for which in ((name, "none"), ("rstar", "none"), (name, "label")))
            above = "" if name == "rstar" else apart(own, rstar)
            rows.append([name, *cells["none"], above, *cells["label"], apart(labelled, own)])
        told.append(table([f"{what} after: scorer", *head], rows))
    return "\n\n".join(told)


def apart(one: Sequence[float], other: Sequence[float]) -> str:
    """How far one measure is above another in the mean, run by run."""
    return number(spread([mine - its for mine, its in zip(one, other, strict=True)]), "+")


def after(results: dict[str, list[dict[str, Any]]], name: str, rule: str, key: str) -> list[float]:
    """One measure of a scorer's judges, over all worlds and seeds."""
    return [value for found in results.values() for value in of(found, name, rule, key)]


def of(found: Sequence[dict[str, Any]], name: str, rule: str, key: str) -> list[float]:
    """One measure of a scorer's judges in one world, seed by seed."""
    return [one["scorers"][name][rule]["tried"][key] for one in found]
