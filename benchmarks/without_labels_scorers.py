"""Measurement 1: every scorer on one pool: how sound its choices are among the paths that the label calls right, and among all.

All scorers are asked about the first `SCORED` problems of the pool. What fine-tuning makes of some choices is in the part on eligibility.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import spread, table
from without_labels_pools import PATHS, PLUGINS, Pool, opened
from without_labels_ways import SCORERS, Values, scores, spearman
from without_labels_worlds import World

from adjudge import Problem, ReasoningPath

SCORED = 24
SHORT = (
    "rstar", "likelihood", "mean-logprob", "validity", "worst-window", "self-certainty", "deepconf, lowest", "entropy", "vote-share",
    "combine: rstar, vote-share", "verdict-margin", "path-gain", "rank-surprisal", "local-logprob", "shortest", "random",
)  # fmt: skip
"""Scorers of the short table."""
FILTERS = ("label", "none")


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What each scorer chooses with and without the label, and how far it goes with R⋆."""
    pool = Pool.of(world, seed, folder)
    paths = list(pool.by_id.values())
    groups = [(problem, paths[PATHS * place : PATHS * (place + 1)]) for place, problem in enumerate(pool.problems[:SCORED])]
    with opened(world, seed) as judge:
        known, found, refused = scores(judge, groups, PLUGINS)
    return {
        "pool": pool.shares(path for _, some in groups for path in some),
        "right": pool.shares(path for problem, some in groups for path in some if path.right(problem)),
        "scorers": {name: described(pool, groups, known, rows, found["rstar"]) for name, rows in found.items()},
        "refused": refused,
    }


def described(
    pool: Pool,
    groups: Sequence[tuple[Problem, Sequence[ReasoningPath]]],
    known: Sequence[Sequence[ReasoningPath]],
    rows: Sequence[Values],
    rstar: Sequence[Values],
) -> dict[str, Any]:
    """Of one scorer: shares of the chosen, with the label filter and without, and its rank correlation with R⋆ within a problem."""
    chosen: dict[str, list[ReasoningPath]] = {rule: [] for rule in FILTERS}
    for (problem, _), paths, row in zip(groups, known, rows, strict=True):
        for rule in FILTERS:
            able = [(value, path) for path, value in zip(paths, row, strict=True) if rule == "none" or path.right(problem)]
            scored = [(value, path) for value, path in able if value is not None]
            if scored:
                chosen[rule].append(min(scored, key=lambda pair: (-pair[0], pair[1].id))[1])
    together = [found for one, other in zip(rows, rstar, strict=True) if (found := spearman(one, other)) is not None]
    return {**{rule: pool.shares(some) for rule, some in chosen.items()}, "with_rstar": fmean(together) if together else None}


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """The choices of every scorer, and those of the scorers that a short table has room for."""
    whole = "\n\n".join([choices(results, list(SCORERS)), *left_out(results)])
    return {"": whole, "short": choices(results, SHORT)}


def choices(results: dict[str, list[dict[str, Any]]], named: Sequence[str]) -> str:
    """Soundness of the chosen and agreement with R⋆, the best without a label first."""
    worlds = list(results)
    names = [name for name in named if all(name in one["scorers"] for found in results.values() for one in found)]
    told = {name: [[one["scorers"][name] for one in results[world]] for world in worlds] for name in names}
    names.sort(key=lambda name: -fmean(one["none"]["sound"] or 0 for found in told[name] for one in found))
    rows = [
        [
            name,
            *(mean([one[rule]["sound"] for one in found]) for found in told[name] for rule in FILTERS),
            " / ".join(short([one["with_rstar"] for one in found]) for found in told[name]),
        ]
        for name in names
    ]
    head = [f"{world}: sound, {what}" for world in worlds for what in ("right ones", "all")]
    return table(["scorer", *head, f"rank correlation with R⋆: {' / '.join(worlds)}"], rows)


def left_out(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Why some scorers could not be asked, by world."""
    why = {f"`{name}` in {world}: {said}." for world, found in results.items() for one in found for name, said in one["refused"].items()}
    return ["Not asked: " + " ".join(sorted(why))] if why else []


def mean(values: Sequence[float | None]) -> str:
    """Mean over the seeds with its interval; a dash where a seed has none."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "–"
    found = spread(known)
    return f"{found['mean']:.3f} ± {found['mean'] - found['interval'][0]:.3f}"


def short(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.2f}" if known else "–"
