"""Measurement 3: paths of several samplers in one pool. Does a score prefer one of them, whatever its paths are worth?

Three write: the *judge* as it ships; the same judge *tuned* on its right paths by R⋆; and *another* writer, a program that works in
valid ways which the judge seldom takes, and errs too. The judge as it ships scores all paths. A score that compares samplers fairly puts
the sound paths of either above those of the other as often as not, and the sound paths of all above the false ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_pools import PLUGINS, Pool, opened, problems_of
from without_labels_scorers import mean
from without_labels_ways import SCORERS, auc, scores
from without_labels_worlds import World

from adjudge import Dataset, Problem, ReasoningPath, open_judge, stable_seed, validate
from adjudge_worlds.world import Habits

PROBLEMS, PATHS = 24, 2
"""Problems that all are asked about, and paths that each writes of one."""
ERRS = Habits(slip=0.05, careless=0.15)
"""How often the other writer errs; in sums it makes no slips."""
OTHERS = 1000
"""Added to the seed for questions that nobody was fine-tuned on."""
NAMES = (
    "rstar", "geometric-rstar", "likelihood", "mean-logprob", "worst-window", "validity", "self-certainty", "entropy", "deepconf, lowest",
    "rank-surprisal", "verdict-margin", "local-logprob", "path-gain", "random",
)  # fmt: skip


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """For each scorer: which sampler it prefers, and how well it tells sound from false within one sampler and across all."""
    pool = Pool.of(world, seed, folder)
    tuned = pool.trained("label-rstar", "label", "rstar")["model"]
    problems = problems_of(world.data(PROBLEMS, OTHERS + seed))
    written = {name: sampled(name, model, problems, seed) for name, model in (("judge", world.model), ("tuned", tuned))}
    with opened(world, seed) as judge:
        written["another"] = [
            [judge.read(problem, text, "given", place) for place, text in enumerate(texts(world, problem, seed))] for problem in problems
        ]
        groups = [(problem, [path for some in told for path in some]) for problem, *told in zip(problems, *written.values(), strict=True)]
        known, found, _ = scores(judge, groups, PLUGINS, {name: SCORERS[name] for name in NAMES})
    sampler = {path.id: name for name, some in written.items() for paths in some for path in paths}
    sound = {path.id: is_sound(world, problem, path) for problem, paths in groups for path in paths}
    return {
        "samplers": {
            name: {
                "right": fmean(bool(path.right(problem)) for problem, paths in zip(problems, some, strict=True) for path in paths),
                "sound": fmean(sound[path.id] for paths in some for path in paths),
            }
            for name, some in written.items()
        },
        "scorers": {name: described(known, rows, sampler, sound) for name, rows in found.items()},
    }


def sampled(name: str, model: str, problems: Sequence[Problem], seed: int) -> list[list[ReasoningPath]]:
    """The paths of each problem by one judge; seeds differ, so that their ids do."""
    made: list[list[ReasoningPath]] = [[] for _ in problems]
    with open_judge(model, cache=False) as judge:
        for number in range(PATHS):
            judge.seed = stable_seed("sampler", name, seed, number)
            for place, verdict in enumerate(judge.judge_each(problems)):
                made[place] += verdict.paths
    return made


def texts(world: World, problem: Problem, seed: int) -> list[str]:
    """What the other writer says of a problem as it is given."""
    rng = random.Random(stable_seed("another", seed, problem.id))
    first, second = problem.answers
    return [the_world(world).write_in("rare", problem.prompt, (first, second), rng, ERRS) for _ in range(PATHS)]


def is_sound(world: World, problem: Problem, path: ReasoningPath) -> bool:
    """Whether every step is there and true, in whatever valid way it is written."""
    shown = problem.answers[:: 1 if path.order == "given" else -1]
    return bool(the_world(world).sound(problem.prompt, tuple(shown), path.completion.text))


def the_world(world: World) -> Any:
    """The world itself, which knows other valid ways too."""
    found: Any = validate(Dataset, f"{world.dataset}-adversarial", PLUGINS, "data")
    return found.world


def described(
    known: Sequence[Sequence[ReasoningPath]], rows: Sequence[Sequence[float | None]], sampler: dict[str, str], sound: dict[str, bool]
) -> dict[str, Any]:
    """Areas over pairs of paths: of one sampler above another where both are sound, and of sound above false."""
    scored = [(path, value) for paths, row in zip(known, rows, strict=True) for path, value in zip(paths, row, strict=True)]
    values = [(sampler[path.id], sound[path.id], value) for path, value in scored if value is not None]
    best = [
        max((value, path.id) for path, value in zip(paths, row, strict=True) if value is not None)[1]
        for paths, row in zip(known, rows, strict=True)
        if any(value is not None for value in row)
    ]

    def of(is_sound: bool, *who: str) -> list[float]:
        return [value for name, one, value in values if one == is_sound and name in (who or (name,))]

    return {
        "tuned_above_judge": auc(of(True, "tuned"), of(True, "judge")),
        "judge_above_another": auc(of(True, "judge"), of(True, "another")),
        "sound_judge": auc(of(True, "judge"), of(False, "judge")),
        "sound_all": auc(of(True), of(False)),
        "chosen_another": fmean(sampler[one] == "another" for one in best) if best else None,
        "chosen_sound": fmean(sound[one] for one in best) if best else None,
    }


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """One table for each world, those that prefer no sampler first."""
    return "\n\n".join(of_world(world, found) for world, found in results.items())


def of_world(world: str, found: list[dict[str, Any]]) -> str:
    columns = {
        "tuned above judge, both sound": "tuned_above_judge",
        "judge above another, both sound": "judge_above_another",
        "sound above false: the judge's": "sound_judge",
        "of all three": "sound_all",
        "chosen from another": "chosen_another",
        "chosen and sound": "chosen_sound",
    }
    told = {name: [one["scorers"][name] for one in found] for name in found[0]["scorers"]}
    names = sorted(told, key=lambda name: -fmean(one["chosen_sound"] or 0 for one in told[name]))
    rows = [[name, *(mean([one[key] for one in told[name]]) for key in columns.values())] for name in names]
    shares = "; ".join(
        f"{name}: accuracy {mean([one['samplers'][name]['right'] for one in found])},"
        f" sound {mean([one['samplers'][name]['sound'] for one in found])}"
        for name in found[0]["samplers"]
    )
    return f"{table([f'{world}: scorer', *columns], rows)}\n\n{shares[0].upper()}{shares[1:]}."
