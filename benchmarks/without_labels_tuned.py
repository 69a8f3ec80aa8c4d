"""Measurement 1, the second half: accuracy and soundness of judges fine-tuned on what each scorer chooses, with the label and without.

Scorers that choose the same paths make the same judge. With the label those are tried whose choice it may change much, and chance.
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

SCORED = tuple(name for name in SHORT if name not in ("validity", "shortest"))
"""`validity` chooses much as `verdict-margin` does, and `shortest` next to no sound path."""
LABELLED = ("rstar", "mean-logprob", "likelihood", "entropy", "self-certainty", "vote-share", "random")
SHOWN = {"right": "accuracy", "sound": "soundness"}


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """By scorer and rule: what was chosen, and the judge that was fine-tuned on it."""
    pool = Pool.of(world, seed, folder)
    found: dict[str, Any] = {}
    for name in SCORED:
        rules = FILTERS if name in LABELLED else ("none",)
        made = {rule: pool.trained(name_of(rule, name), rule, SCORERS[name]) for rule in rules}
        found[name] = {rule: {"chosen": one["chosen"], "tried": one["tried"]} for rule, one in made.items()}
    return {"scorers": found, "before": pool.before}


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """Accuracy, then soundness, after fine-tuning; the best scorers without a label first."""
    names = sorted(SCORED, key=lambda name: -fmean(after(results, name, "none", "right")))
    head = [*(f"{world}: all" for world in results), "above R⋆, all runs", *(f"{world}: right ones" for world in results)]
    told = []
    for key, what in SHOWN.items():
        before = [mean([one["before"][key] for one in found]) for found in results.values()]
        rows = [["before fine-tuning", *before, "", *before]]
        for name in names:
            by_rule = {rule: [of(found, name, rule, key) for found in results.values()] for rule in FILTERS}
            cells = {rule: [mean(values) if values else "" for values in found] for rule, found in by_rule.items()}
            apart = [one - other for one, other in zip(*(after(results, each, "none", key) for each in (name, "rstar")), strict=True)]
            rows.append([name, *cells["none"], "" if name == "rstar" else number(spread(apart), "+"), *cells["label"]])
        told.append(table([f"{what} after: scorer", *head], rows))
    return "\n\n".join(told)


def after(results: dict[str, list[dict[str, Any]]], name: str, rule: str, key: str) -> list[float]:
    """One measure of a scorer's judges, over all worlds and seeds."""
    return [value for found in results.values() for value in of(found, name, rule, key)]


def of(found: Sequence[dict[str, Any]], name: str, rule: str, key: str) -> list[float]:
    """One measure of a scorer's judges in one world, seed by seed; nothing where none was made."""
    return [one["scorers"][name][rule]["tried"][key] for one in found if rule in one["scorers"][name]]
