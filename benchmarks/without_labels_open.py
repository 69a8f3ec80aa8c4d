"""Measurement 1 for open-ended answers: instructions whose reference is one text of many, and no label where a judge is fine-tuned.

The right answer is another text than the reference, so that what compares an answer with the reference need not prefer it. Scorers that
read a reference take it in the verdict's place.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_eligibility import name_of
from without_labels_pools import PATHS, PLUGINS, Pool, opened
from without_labels_scorers import FILTERS, described, mean
from without_labels_ways import SCORERS, auc, scores
from without_labels_worlds import World

from adjudge import Problem

OF = ("instructions",)
SCORED = 48
NAMES = (
    "rstar", "mean-logprob", "likelihood", "self-certainty", "reference-probability", "reference-logprob", "reference-likelihood",
    "reference-perplexity", "random",
)  # fmt: skip
TRAINED = ("rstar", "reference-probability", "reference-logprob", "random")


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What scorers choose with and without the label, how they tell sound from false, and judges fine-tuned on choices without it."""
    pool = Pool(replace(world, dataset="instructions-open"), seed, folder)
    paths = list(pool.by_id.values())
    groups = [(problem, paths[PATHS * place : PATHS * (place + 1)]) for place, problem in enumerate(pool.problems[:SCORED])]
    with opened(pool.world, seed) as judge:
        known, found, _ = scores(judge, groups, PLUGINS, {name: SCORERS[name] for name in NAMES})
    told: dict[str, Any] = {}
    for name, rows in found.items():
        cases: dict[bool, list[float]] = {True: [], False: []}
        for (problem, _), some, values in zip(groups, known, rows, strict=True):
            for path, value in zip(some, values, strict=True):
                if value is not None:
                    cases[bool(pool.rule.reward(problem, path))].append(value)
        told[name] = {**described(pool, groups, known, rows, found["rstar"]), "auc": auc(cases[True], cases[False])}
    judges = {name: pool.trained(name_of("none", name), "none", SCORERS[name])["tried"] for name in TRAINED}
    nearest = fmean(nearer(problem) for problem in pool.tests)
    return {"scorers": told, "judges": judges, "before": pool.before, "nearest": nearest}


def nearer(problem: Problem) -> float:
    """Whether the right answer is nearer to the reference than the other by its words: 1, 0, or a half where both are as near."""
    near = [SequenceMatcher(None, str(problem.meta["reference"]).split(), answer.split()).ratio() for answer in problem.answers]
    right, other = near[problem.label or 0], near[1 - (problem.label or 0)]
    return 0.5 if right == other else float(right > other)


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """Scorers, the best without a label first, and what comparing words with the reference is worth."""
    (found,) = results.values()
    names = sorted(NAMES, key=lambda name: -fmean(one["scorers"][name]["none"]["sound"] for one in found))
    rows = [["before fine-tuning", "–", "–", "–", *(mean([one["before"][key] for one in found]) for key in ("right", "sound"))]]
    for name in names:
        rows.append([name, *(mean([one["scorers"][name][rule]["sound"] for one in found]) for rule in FILTERS)])
        rows[-1].append(mean([one["scorers"][name]["auc"] for one in found]))
        rows[-1] += [mean([one["judges"][name][key] for one in found]) if name in TRAINED else "" for key in ("right", "sound")]
    head = ["scorer", "sound, right ones", "sound, all", "sound above false", "accuracy after, without labels", "sound after"]
    nearest = mean([one["nearest"] for one in found])
    return f"{table(head, rows)}\n\nThe answer whose words are nearer to the reference's is the right one in {nearest} of the problems."
