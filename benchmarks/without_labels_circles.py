"""Measurement 2 where several answers to one prompt are compared: what `transitive` adds to majorities, which it is on single pairs.

Of every question there is one right answer and two wrong ones, and each two of them are a pair. Two wrong ones have no label, and shares
are of the pairs that have one; what a rule lets through of the others is taught all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from bench import table
from without_labels_eligibility import let_through, name_of, wrong
from without_labels_groups import groups
from without_labels_pools import Pool
from without_labels_scorers import mean
from without_labels_worlds import World

from adjudge import Problem, ReasoningPath

GROUPS, SIZE = 54, 3
"""Questions, and answers of each: about as many pairs as the pools of the other parts have."""
RULES: dict[str, Any] = {"label": "label", "majority": "majority", "transitive": "transitive", "none": "none"}


class Pairs(Pool):
    """All pairs of answers of each question."""

    @cached_property
    def problems(self) -> list[Problem]:
        return [pair for group in groups(self.world, self.world.count(GROUPS), SIZE, self.seed, "train") for pair in pairs(group)]

    def shares(self, paths: Iterable[ReasoningPath], problems: Sequence[Problem] | None = None) -> dict[str, Any]:
        """As of any pool, of the pairs that have a label."""
        labelled = {one.id for one in (self.problems if problems is None else problems) if one.label is not None}
        return super().shares([path for path in paths if path.problem_id in labelled], problems)


def pairs(group: Problem) -> list[Problem]:
    """Each two answers of a group; without a label where neither is the right one."""
    found = []
    for two in combinations(range(len(group.answers)), 2):
        label = two.index(group.label) if group.label in two else None
        found.append(Problem(f"{group.id}-{two[0]}-{two[1]}", group.prompt, tuple(group.answers[one] for one in two), label))
    return found


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What every rule lets through, and the judge that was fine-tuned on what R⋆ chooses of it."""
    pool = Pairs(world, seed, folder)
    made = {name: pool.trained(name_of(name, "rstar"), rule, "rstar") for name, rule in RULES.items()}
    judges = {name: {"chosen": one["chosen"], "tried": one["tried"]} for name, one in made.items()}
    return {"rules": let_through(pool, RULES), "judges": judges}


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """What each rule lets through, and what it teaches, world by world."""
    head = [
        "world", "rule", "problems with an eligible path", "eligible", "wrong among them", "wrong among chosen", "sound among chosen",
        "accuracy after", "sound after",
    ]  # fmt: skip
    rows = []
    for world, found in results.items():
        for name in RULES:
            through = [one["rules"][name] for one in found]
            chosen, tried = ([one["judges"][name][what] for one in found] for what in ("chosen", "tried"))
            rows.append([world, name, *(mean([one[key] for one in through]) for key in ("problems", "share"))])
            rows[-1] += [mean([wrong(one) for one in told]) for told in (through, chosen)]
            rows[-1] += [mean([one[key] for one in told]) for told, key in ((chosen, "sound"), (tried, "right"), (tried, "sound"))]
    return table(head, rows)
