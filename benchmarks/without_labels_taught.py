"""Cascades behind a judge that was taught to answer at once, as baselines of the papers are: trained on labels, without reasoning.

The other cascades begin with the judge as it ships, asked for no reasoning, which it has never learned to do without. Pairs, other judges
and how margins are found are those of the part on cascades.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import table
from without_labels_cascade import (
    FITTED,
    HEAD,
    KEPT,
    LEVELS,
    NAMES,
    SHARE,
    TESTED,
    Said,
    answers,
    asked,
    compared,
    over,
    problems_of,
    rows_of,
    said,
)
from without_labels_paths import told
from without_labels_verdicts import BATCH, STEPS, taught
from without_labels_ways import auc
from without_labels_worlds import World

from adjudge import build_requests, dump, open_judge

CASCADES = {f"taught, then {last}": ("taught", last) for last in ("sampled", "greedy", "majority")}
NAMED = {"taught": "taught: no reasoning, trained to do without", **NAMES}
SINGLE = ("direct", "taught", "sampled")
"""Judges that tell a probability."""


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracy and tokens of every judge and of the cascades behind the taught one, and which judges know when they err."""
    fitted, tested = (problems_of(world, count, seed, part) for count, part in ((FITTED, "train"), (TESTED, "test")))
    model = taught_of(world, folder)
    with open_judge(world.model, cache=False, seed=seed) as opened:
        known, found = (asked(opened, problems) for problems in (fitted, tested))
        own = opened.options
    with open_judge(model, judge=own, cache=False, seed=seed) as opened:
        for problems, into in ((fitted, known), (tested, found)):
            requests = build_requests(problems, own, seed=seed)
            made = answers(opened, {"use": "direct", "judge": dump(own)}, requests)
            into["taught"] = [said([made[one.id]], one.problem) for one in requests]
    return {**compared(known, found, tested, CASCADES), "knows_when": {name: surer_where_right(found[name]) for name in SINGLE}}


def taught_of(world: World, folder: Path) -> Path:
    """The world's taught judge, which all parts share; `folder` is the one that a part is given."""
    apart = {pair.prompt for other in range(10) for pair in problems_of(world, FITTED, other, "train")}
    return taught(world, folder.parents[1] / "taught" / f"{world.name}-taught", apart)


def surer_where_right(samples: Sequence[Said]) -> float | None:
    """How often a right verdict's probability is farther from 1/2 than a wrong one's: at 0.5 a judge does not know when it errs."""
    known = [(distance, right) for distance, right, _ in samples if distance is not None]
    return auc([distance for distance, right in known if right], [distance for distance, right in known if not right])


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """What each costs and is worth, whether a cascade keeps what is aimed at, and what the first judge knows."""
    rows = [row for world, seeds in results.items() for row in rows_of(world, seeds, NAMED, list(CASCADES))]
    counts = ", ".join(f"{world} {len(seeds)}" for world, seeds in results.items())
    levels = [
        [
            world,
            name,
            *(over(seeds, lambda one, name=name, level=level: one["by_level"][name][level]) for level in map(str, LEVELS)),
            told([one["knows_when"][name] for one in seeds]),
        ]
        for world, seeds in results.items()
        for name in SINGLE
    ]
    return "\n\n".join([
        f"Means over seeds ({counts}), with Student's 95% interval where there are three or more; {TESTED} pairs each, margins from"
        f" {FITTED} others. One judge of each world was taught, by {STEPS * BATCH:,} further pairs. Tokens are of one verdict. Aim: a"
        f" cascade that loses at most {KEPT:.3f} to its last judge, with at most {SHARE:g} of its tokens.", table(HEAD, rows),
        "Accuracy by level, and how often a right verdict is surer than a wrong one (0.5: the judge does not know when it errs):",
        table(["world", "judge", *(f"level {level}" for level in LEVELS), "surer where right"], levels),
    ])  # fmt: skip
