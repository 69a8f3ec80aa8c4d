"""Soft against hard matches where the judge was taught to answer at once, and where it answers at once without having learned to.

Groups, schemes and budgets are those of the part on soft matches; each of its pairs is asked once in each order, for such a judge says the
same when it is asked again. Questions of groups are of the test part, and the pairs that a judge is taught by of the training part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import RESULTS, number, spread, table
from without_labels_groups import Table, kept, tables, together
from without_labels_soft import (
    AIM,
    GROUPS,
    HEAD,
    PLUGINS,
    REFERENCE,
    REPLAYS,
    SIZE,
    UNSURE,
    asked,
    curves,
    enough,
    interval,
    pooled,
    rows_of,
    unsure,
)
from without_labels_taught import taught_of
from without_labels_worlds import World

from adjudge import dump, find_model, load_judge, open_judge

TAUGHT = {"taught": "taught, one forward pass", "taught, orders": "taught, one in each order"}
UNTAUGHT = {"untaught": "untaught, one forward pass", "untaught, orders": "untaught, one in each order"}
SAMPLED = {"taught": "sampled", "taught, orders": "orders"}
"""What the part on soft matches calls the same number of judgements by the judge that samples its reasoning."""
KNOWN = ("right", "unsure where one is right", "unsure of two wrong answers")
"""What is counted of a judge's single answers: a probability near 1/2 is unsure."""


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """For both judges what the part on soft matches has for its own, and what they say of pairs with the right answer and of others."""
    own = load_judge(find_model(world.model), PLUGINS)
    way = {"use": "direct", "judge": {**dump(own), "order": "both"}, "average": False}
    problems, measured, knows = asked(world, seed), {}, {}
    for name, model in (("taught", taught_of(world, folder)), ("untaught", world.model)):

        def judged(model: Path | str = model) -> list[Table]:
            with open_judge(model, judge=own, cache=False, seed=seed) as opened:
                return tables(opened, problems, way, 1)

        said = kept(folder / f"{name}.json", judged)
        measured |= {name: curves(said), f"{name}, orders": curves([together(one, True) for one in said])}
        knows[name] = known(said)
    return {**measured, "knows": knows}


def known(found: Sequence[Table]) -> dict[str, float]:
    """How often a judgement is right where one of the answers is, and how often it is unsure of such a pair and of two wrong answers."""
    right = [
        points if one.right == pair[0] else 1 - points
        for one in found
        for pair, said in one.said.items()
        for points, _ in said
        if one.right in pair
    ]
    return {
        "right": fmean(right),
        "unsure where one is right": unsure(found, lambda one, pair: one.right in pair),
        "unsure of two wrong answers": unsure(found, lambda one, pair: one.right not in pair),
    }


# Tables ----------------------------------------------------------------------------------------------------------------------


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Hard against soft of the taught judge, with soft of the sampling one, and what is known of pairs; the untaught judge's apart."""
    count = len(next(iter(results.values())))
    said = (
        f"{GROUPS} groups of {SIZE} answers for each of {count} seeds, {REPLAYS} tournaments of each kind on a group. 95% intervals from"
        f" drawing groups anew. Aim: a share of at most {AIM:g}, where hard matches are right more often than by chance, {1 / SIZE:g}."
    )
    sampled = json.loads((RESULTS / "without_labels_soft.json").read_text(encoding="utf-8"))["worlds"]
    beside = [cells for world, seeds in results.items() for cells in gained(seeds, sampled[world])]
    rows = [[*row, *cells] for row, cells in zip(rows_of(results, TAUGHT), beside, strict=True)]
    knows = [
        [world, judge, *(number(spread([one["knows"][judge][what] for one in seeds])) for what in KNOWN)]
        for world, seeds in results.items()
        for judge in ("taught", "untaught")
    ]
    return {
        "": "\n\n".join([
            f"{said} *Share, hard*: what hard matches themselves take to find the right answer as often.",
            table([*HEAD, "share, hard", "right, soft, sampled", "taught less sampled"], rows),
            f"One forward pass: how often it is right where one answer is, and its probability within {UNSURE:g} of 1/2:",
            table(["world", "judge", *KNOWN], knows),
        ]),
        "untaught": "\n\n".join([said, table(HEAD, rows_of(results, UNTAUGHT))]),
    }  # fmt: skip


def gained(seeds: Sequence[dict[str, Any]], sampled: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One world's further cells: the share that hard matches take themselves, soft ones of the judge that samples, and the difference."""
    cells = []
    for judge, other in SAMPLED.items():
        for scheme, point in REFERENCE.items():
            if scheme in seeds[0][judge]:
                hard, soft = (pooled([one[judge][scheme][kind] for one in seeds]) for kind in ("hard", "soft"))
                after, before = soft[point][1], pooled([one[other][scheme]["soft"] for one in sampled])[point][1]
                fewest = enough({"hard": hard, "soft": hard}, point, range(len(after))) or hard[point][0]
                gains = [new - old for new, old in zip(after, before, strict=True)]
                cells.append([f"{fewest / hard[point][0]:.2f}", interval(before), interval(gains, "+")])
    return cells
