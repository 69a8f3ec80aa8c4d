"""Scorers that ask another model, on the pools of the others: `prm`, by value heads that were taught which paths are sound, and `model`.

The worlds know of every path whether its steps are true, so a value head can learn it: from the judge's own paths about questions that
the pool does not ask. No other scorer is told as much; this is what it is worth to know soundness elsewhere. `model` is R⋆ by the judge
that was fine-tuned on what R⋆ chooses of the pool with the label.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_adversarial import deceived
from without_labels_eligibility import name_of
from without_labels_heads import Chat, value_head
from without_labels_pools import PATHS, PLUGINS, Pool, opened, problems_of
from without_labels_scorers import FILTERS, described, mean, short
from without_labels_ways import SCORERS, Values, auc, scores
from without_labels_worlds import World

from adjudge import Problem, ReasoningPath

TRAINED, SAMPLES = 480, 4
"""Problems whose paths a value head learns from, and paths of each."""
SEEDS = 2000
"""Added to a seed, so that these problems are drawn apart from the pool's."""
HEADS = {"prm: a linear head": False, "prm: all weights": True}
"""Whether all weights are trained, or only the head over the judge as it ships."""
BESIDE = ("rstar", "mean-logprob", "likelihood", "random")
"""Scorers that value heads are compared with."""
COMBINED = "combine: rstar, prm"
OTHER = "model: rstar, by the tuned judge"


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What value heads and a few others choose from the whole pool, how well they tell sound from false, and how far they are deceived."""
    pool = Pool.of(world, seed, folder)
    chats = list(examples(pool, folder))
    models = {name: value_head(world.model, chats, folder / f"head-{int(whole)}", seed, whole=whole) for name, whole in HEADS.items()}
    scorers: dict[str, Any] = {name: {"use": "prm", "model": str(model), "batch": 32} for name, model in models.items()}
    scorers[COMBINED] = {"use": "combine", "scorers": ["rstar", scorers["prm: all weights"]]}
    scorers[OTHER] = {"use": "model", "model": pool.trained(name_of("label", "rstar"), "label", "rstar")["model"]}
    scorers |= {name: SCORERS[name] for name in BESIDE}
    paths = list(pool.by_id.values())
    groups = [(problem, paths[PATHS * place : PATHS * (place + 1)]) for place, problem in enumerate(pool.problems)]
    with opened(world, seed) as judge:
        known, found, _ = scores(judge, groups, PLUGINS, scorers)
        false = deceived(judge, world, seed, scorers)["auc"]
    made = {
        name: {**described(pool, groups, known, rows, found["rstar"]), "auc": area(pool, groups, known, rows), "deceived": false[name]}
        for name, rows in found.items()
    }
    for name, scorer in scorers.items():
        made[name]["after"] = {rule: pool.trained(name_of(rule, name), rule, scorer)["tried"] for rule in FILTERS}
    for model in models.values():
        shutil.rmtree(model)
    return {"learned_from": len(chats), "sound": fmean(sound for _, sound in chats), "scorers": made}


def examples(pool: Pool, folder: Path) -> Iterator[Chat]:
    """The judge's own paths about other questions, and whether they are sound."""
    asked = {problem.prompt for problem in pool.problems}
    apart = Pool(pool.world, SEEDS + pool.seed, folder)
    problems = {one.id: one for one in problems_of(pool.world.data(TRAINED, apart.seed)) if one.prompt not in asked}
    stage = apart.stage("examples", list(problems.values()))
    with stage.open(stage.model) as session:
        for path in stage.sample(session, stage.problems, "paths", samples=SAMPLES):
            if path.outcome.decided:
                problem = problems[path.problem_id]
                said: Any = {"role": "assistant", "content": path.completion.text}
                yield [*stage.judge.render(problem, path.order), said], bool(pool.rule.reward(problem, path))
    shutil.rmtree(stage.folder)


def area(
    pool: Pool, groups: Sequence[tuple[Problem, Sequence[ReasoningPath]]], known: Sequence[Sequence[ReasoningPath]], rows: Sequence[Values]
) -> float | None:
    """How often a sound path of the pool stands above a false one, over all problems."""
    values: dict[bool, list[float]] = {True: [], False: []}
    for (problem, _), paths, row in zip(groups, known, rows, strict=True):
        for path, value in zip(paths, row, strict=True):
            if value is not None:
                values[bool(pool.rule.reward(problem, path))].append(value)
    return auc(values[True], values[False])


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """By world and scorer: soundness of the chosen, and areas under the curve in the pool and among adversarial paths."""
    rows = [row for world, seeds in results.items() for row in rows_of(world, [one["scorers"] for one in seeds])]
    paths = ", ".join(f"{world} {fmean(one['learned_from'] for one in seeds):,.0f}" for world, seeds in results.items())
    head = [
        "world", "scorer", "sound, right ones", "sound, all", "sound above false", "adversarial: sound above false",
        "adversarial: rare above false", "rank correlation with R⋆",
    ]  # fmt: skip
    taught = ["world", "scorer", *(f"{what} after, {which}" for what in ("accuracy", "sound") for which in ("right ones", "all"))]
    after = [row for world, seeds in results.items() for row in after_of(world, [one["scorers"] for one in seeds])]
    return f"Paths that a value head learns from, in the mean: {paths}.\n\n{table(head, rows)}\n\n{table(taught, after)}"


def rows_of(world: str, seeds: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One world's scorers, the one with the soundest choices among all first."""
    rows = []
    for name in sorted(seeds[0], key=lambda name: -fmean(one[name]["none"]["sound"] for one in seeds)):
        found = [one[name] for one in seeds]
        chosen = [mean([one[rule]["sound"] for one in found]) for rule in FILTERS]
        areas = [mean([one["auc"] for one in found]), *(mean([one["deceived"][which] for one in found]) for which in ("auc", "rare"))]
        rows.append([world, name, *chosen, *areas, short([one["with_rstar"] for one in found])])
    return rows


def after_of(world: str, seeds: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One world's judges after fine-tuning, the most accurate without a label first."""
    tried = {name: [one[name]["after"] for one in seeds] for name in seeds[0]}
    names = sorted(tried, key=lambda name: -fmean(one["none"]["right"] for one in tried[name]))
    return [
        [world, name, *(mean([one[rule][key] for one in tried[name]]) for key in ("right", "sound") for rule in FILTERS)] for name in names
    ]
