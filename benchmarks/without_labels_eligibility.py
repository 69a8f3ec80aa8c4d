"""Measurement 2: rules that need no label against the label: what they let through, and the accuracy of judges fine-tuned on it.

R⋆ chooses among what a rule lets through, unless the recipe names another scorer; the last one chooses by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_pools import PLUGINS, Pool
from without_labels_scorers import mean
from without_labels_ways import SCORERS
from without_labels_worlds import World

from adjudge import Eligibility, validate
from adjudge_eligibility import eligible_paths

THREE_QUARTERS = {"use": "majority", "share": 0.75}
RULES: dict[str, Any] = {
    "label": "label",
    "majority": "majority",
    "majority, 0.75": THREE_QUARTERS,
    "both-orders": "both-orders",
    "all-of: majority 0.75, both-orders": {"use": "all-of", "rules": [THREE_QUARTERS, "both-orders"]},
    "reference: R⋆ above 0.9": {"use": "reference", "scorer": "rstar", "above": 0.9},
    "none": "none",
}
RECIPES = {
    **{rule: (rule, "rstar") for rule in RULES},
    "none; likelihood": ("none", "likelihood"),
    "none; self-certainty": ("none", "self-certainty"),
    "label; random": ("label", "random"),
}
"""Rule and scorer by what the recipe is called; R⋆ scores where nothing is said."""
TARGET = 0.98
"""Share of the labelled recipe's accuracy that a recipe without labels is to reach in every world."""


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What every rule lets through, what every recipe chooses of it, and the judge that was fine-tuned on that."""
    pool = Pool.of(world, seed, folder)
    made = {name: pool.trained(name_of(rule, scorer), RULES[rule], SCORERS[scorer]) for name, (rule, scorer) in RECIPES.items()}
    recipes = {name: {"chosen": one["chosen"], "tried": one["tried"]} for name, one in made.items()}
    return {"rules": let_through(pool, RULES), "recipes": recipes, "before": pool.before}


def let_through(pool: Pool, rules: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of every rule: the share of problems that have an eligible path, and shares of the eligible paths."""
    paths, by_id = list(pool.by_id.values()), {problem.id: problem for problem in pool.problems}
    stage, found = pool.stage("pool"), {}
    with stage.open(stage.model) as session:
        for name, rule in rules.items():
            told = eligible_paths(validate(Eligibility, rule, PLUGINS, "eligible"), by_id, paths, session, stage.judge)
            some = [path for path, one in zip(paths, told, strict=True) if one]
            problems = len({path.problem_id for path in some}) / len(by_id)
            found[name] = {"share": len(some) / len(paths), "problems": problems, **pool.shares(some)}
    return found


def name_of(rule: str, scorer: str) -> str:
    """The folder of a recipe; the one that the scorers' part uses where it makes the same judge."""
    return "".join(letter if letter.isalnum() else "-" for letter in f"{rule}-{scorer}")


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Whether the target is met in all worlds; then what each recipe teaches, and what each rule lets through, world by world."""
    tables = {
        what: "\n\n".join(of(world, found) for world, found in results.items()) for what, of in (("", of_recipes), ("rules", of_rules))
    }
    return {"target": verdict(results), **tables}


def of_rules(world: str, found: list[dict[str, Any]]) -> str:
    """What every rule lets through in one world."""
    rows = []
    for name in RULES:
        told = [one["rules"][name] for one in found]
        rows.append([name, *(mean([one[key] for one in told]) for key in ("problems", "share")), mean([wrong(one) for one in told])])
        rows[-1].append(mean([one["s_corr"] for one in told]))
    return table([f"{world}: rule", "problems with an eligible path", "eligible", "wrong among them", "unsound among the right ones"], rows)


def of_recipes(world: str, found: list[dict[str, Any]]) -> str:
    """What was chosen, and what it taught, in one world."""
    befores = [mean([one["before"][key] for one in found]) for key in ("right", "sound")]
    rows = [["before fine-tuning", "–", "–", *befores, "–"]]
    for name in RECIPES:
        chosen, tried = ([one["recipes"][name][what] for one in found] for what in ("chosen", "tried"))
        shares = [mean([wrong(one) for one in chosen]), mean([one["sound"] for one in chosen])]
        after = [mean([one[key] for one in tried]) for key in ("right", "sound")]
        rows.append([name, *shares, *after, mean(ratios(found, name))])
    head = ["wrong among chosen", "sound among chosen", "accuracy after", "sound after", "of the labelled accuracy"]
    return table([f"{world}: rule", *head], rows)


def wrong(shares: dict[str, Any]) -> float | None:
    return None if shares["right"] is None else 1 - shares["right"]


def ratios(found: list[dict[str, Any]], name: str) -> list[float]:
    """Accuracy of a recipe's judge as a share of the labelled one's, seed by seed."""
    return [one["recipes"][name]["tried"]["right"] / one["recipes"]["label"]["tried"]["right"] for one in found]


def verdict(results: dict[str, list[dict[str, Any]]]) -> str:
    """For each recipe without labels, its accuracy in shares of the labelled one's, the best in its worst world first."""
    told = {name: {world: ratios(found, name) for world, found in results.items()} for name in RECIPES if not name.startswith("label")}
    least = {name: min(map(fmean, of_name.values())) for name, of_name in told.items()}
    rows = [
        [name, *(mean(values) for values in told[name].values()), "yes" if least[name] >= TARGET else "no"]
        for name in sorted(told, key=lambda name: -least[name])
    ]
    return table(["without labels", *results, f"at least {TARGET} in every world"], rows)
