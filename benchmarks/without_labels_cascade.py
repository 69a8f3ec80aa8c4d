"""Direct judge, reasoning judge, and cascades of the two: accuracy, tokens of a verdict, and accuracy for 1,000 tokens.

Every judge is asked once about each pair of two sets: labelled pairs of the training part, on which a cascade's margin is found as
``adjudge fit`` finds it, and pairs of the test part, on which all are compared. A cascade is worked out from what its judges said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_paths import told
from without_labels_worlds import World

from adjudge import (
    Dataset,
    Judge,
    JudgeRequest,
    OpenJudge,
    Outcome,
    Plugins,
    Problem,
    ReasoningPath,
    build_requests,
    dump,
    open_judge,
    sample_paths,
    validate,
)
from adjudge_judges import probability_of, tokens_spent
from adjudge_soft.margins import Judged, fit_margins, outcome_of

FITTED, TESTED, VOTES = 150, 250, 3
"""Labelled pairs that margins are found on, pairs that all are compared on, and votes of a majority."""
KEPT, SHARE = 0.005, 0.5
"""What is aimed at: accuracy that a cascade may lose to its reasoning judge, and the share of its tokens that it may take."""
PLUGINS = Plugins.load(autoload=False)
LEVELS = (1, 2, 3, 4)
CASCADES = {
    "direct, then sampled": ("direct", "sampled"),
    "direct, then greedy": ("direct", "greedy"),
    "sampled, then greedy": ("sampled", "greedy"),
    "direct, then majority": ("direct", "majority"),
    "sampled, then majority": ("sampled", "majority"),
}
"""Every cascade's judges."""
HEAD = ["world", "judge", "accuracy", "tokens", "accuracy for 1,000 tokens", "lost to its last judge", "share of its tokens", "aim"]
NAMES = {
    "direct": "direct: no reasoning",
    "sampled": "reasoning, sampled; its probability is read behind it",
    "greedy": "reasoning, greedy",
    "majority": f"reasoning, majority of {VOTES}",
}


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracy and tokens of every judge and cascade, and of the direct judge at each level."""
    fitted, tested = (problems_of(world, count, seed, part) for count, part in ((FITTED, "train"), (TESTED, "test")))
    with open_judge(world.model, cache=False, seed=seed) as opened:
        known, found = (asked(opened, problems) for problems in (fitted, tested))
    return compared(known, found, tested, CASCADES)


def compared(
    known: dict[str, list[Said]], found: dict[str, list[Said]], tested: Sequence[Problem], cascades: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    """What every judge and cascade comes to, from what was said of the pairs that margins are found on and of those tested."""
    levels = sorted({problem.meta["level"] for problem in tested})
    return {
        "alone": {name: alone(samples) for name, samples in found.items()},
        "cascades": {name: cascade(known, found, pair) for name, pair in cascades.items()},
        "at_equal_tokens": {
            name: cascade(known, found, pair, tokens=alone(known["greedy"])["tokens"])
            for name, pair in cascades.items()
            if pair[1] == "majority"
        },
        "by_level": {
            name: {
                level: fmean(one[1] for one, problem in zip(found[name], tested, strict=True) if problem.meta["level"] == level)
                for level in levels
            }
            for name in found
            if name != "majority"
        },
    }


def problems_of(world: World, count: int, seed: int, part: str) -> list[Problem]:
    return list(validate(Dataset, world.data(count, seed, part), PLUGINS, "data").load())


Said = tuple[float | None, bool, int]
"""Of one verdict: how far its probability is from 1/2, None where it does not decide; whether it is right; tokens."""


def asked(opened: OpenJudge, problems: Sequence[Problem]) -> dict[str, list[Said]]:
    """What every judge says of every problem, all of them shown the same order; the sampled judgement is one of the votes."""
    own = opened.options
    ways = {
        "direct": {"use": "direct", "judge": dump(own)},
        "sampled": {"use": "soft", "judge": dump(own)},
        "greedy": {**dump(own), "temperature": 0},
    }
    votes = build_requests(problems, own, samples=VOTES, seed=opened.seed)
    requests = [one for one in votes if one.index == 0]
    found, first = {}, {}
    for name, way in ways.items():
        made = answers(opened, way, requests)
        first = made if name == "sampled" else first
        found[name] = [said([made[one.id]], one.problem) for one in requests]
    ballots = {one.problem.id: [first[one.id]] for one in requests}
    for path in sample_paths(opened.session, own, [one for one in votes if one.index]):
        ballots[path.problem_id].append(path)
    found["majority"] = [said(ballots[problem.id], problem) for problem in problems]
    return found


def answers(opened: OpenJudge, way: Any, requests: Sequence[JudgeRequest]) -> dict[str, ReasoningPath]:
    """The judgements by a judge of these options, by their requests' ids."""
    return {path.id: path for path in sample_paths(opened.session, validate(Judge, way, PLUGINS, "judge"), requests)}


def said(votes: Sequence[ReasoningPath], problem: Problem) -> Said:
    """What the majority of these votes comes to; one that decides nothing is none."""
    cast = [path for path in votes if path.outcome.decided]
    tokens = sum(map(tokens_spent, votes))
    if not cast:
        return None, False, tokens
    points = fmean(path.outcome.points for path in cast)
    shares = [path.outcome.points if (known := probability_of(path)) is None else known for path in cast]
    wanted = Outcome.FIRST if problem.label == 0 else Outcome.SECOND
    right = points != 0.5 and (points > 0.5) == (wanted is Outcome.FIRST)
    return abs(fmean(shares) - 0.5), right, tokens


def alone(samples: Sequence[Said]) -> dict[str, float]:
    return {"accuracy": fmean(right for _, right, _ in samples), "tokens": fmean(tokens for _, _, tokens in samples)}


def cascade(
    known: dict[str, list[Said]], found: dict[str, list[Said]], judges: tuple[str, str], *, tokens: float | None = None
) -> dict[str, float]:
    """A cascade of two judges, its margin from labelled pairs; as accurate as the last one there, unless it is to keep to `tokens`."""
    fit = fit_margins(together(known, judges), tokens=tokens)
    made = outcome_of(together(found, judges), fit.margins)
    last = alone(found[judges[-1]])
    return {
        "margin": fit.margins[0],
        "accuracy": made.accuracy,
        "tokens": made.tokens,
        "asked_last": made.asked[-1],
        "gain": made.accuracy - last["accuracy"],
        "share": made.tokens / last["tokens"],
    }


def together(found: dict[str, list[Said]], judges: tuple[str, str]) -> list[Judged]:
    rows = zip(*(found[name] for name in judges), strict=True)
    return [Judged(*(tuple(one[field] for one in row) for field in range(3))) for row in rows]


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """What each costs and is worth, and whether a cascade keeps what is aimed at."""
    rows = [row for world, seeds in results.items() for row in rows_of(world, seeds, NAMES, list(CASCADES))]
    counts = ", ".join(f"{world} {len(seeds)}" for world, seeds in results.items())
    levels = [
        [world, *(over(seeds, lambda one, level=level: one["by_level"]["direct"][level]) for level in map(str, LEVELS))]
        for world, seeds in results.items()
    ]
    return "\n\n".join([
        f"Mean with Student's 95% interval over seeds ({counts}); {TESTED} pairs each, margins from {FITTED} others. Tokens are of one"
        f" verdict. Aim: a cascade that loses at most {KEPT:.3f} to its last judge, with at most {SHARE:g} of its tokens.",
        table(HEAD, rows),
        "Accuracy of the direct judge:", table(["world", *(f"level {level}" for level in LEVELS)], levels),
    ])  # fmt: skip


def over(seeds: Sequence[dict[str, Any]], pick: Callable[[dict[str, Any]], float], sign: str = "") -> str:
    return told([pick(one) for one in seeds], sign)


def rows_of(world: str, seeds: Sequence[dict[str, Any]], names: dict[str, str], cascades: Sequence[str]) -> list[list[str]]:
    """One world's judges, by what they are called, and its cascades."""
    rows = [[world, label, *worth(seeds, lambda one, name=name: one["alone"][name]), "", "", ""] for name, label in names.items()]
    for name in cascades:
        rows.append([world, f"cascade: {name}", *cascaded(seeds, lambda one, name=name: one["cascades"][name])])
    for name in [one for one in cascades if one in seeds[0]["at_equal_tokens"]]:
        cells = cascaded(seeds, lambda one, name=name: one["at_equal_tokens"][name])
        rows.append([world, f"cascade: {name}, at the greedy judge's tokens", *cells[:-1], ""])
    return rows


def cascaded(seeds: Sequence[dict[str, Any]], pick: Callable[[dict[str, Any]], dict[str, float]]) -> list[str]:
    """A cascade's cells."""
    share, gain = fmean(pick(one)["share"] for one in seeds), fmean(pick(one)["gain"] for one in seeds)
    met = -gain <= KEPT and share <= SHARE
    return [*worth(seeds, pick), over(seeds, lambda one: -pick(one)["gain"], "+"), f"{share:.2f}", "yes" if met else "**no**"]


def worth(seeds: Sequence[dict[str, Any]], pick: Callable[[dict[str, Any]], dict[str, float]]) -> list[str]:
    """Accuracy, tokens, and accuracy for 1,000 tokens."""
    tokens = fmean(pick(one)["tokens"] for one in seeds)
    rate = fmean(1000 * pick(one)["accuracy"] / pick(one)["tokens"] for one in seeds)
    return [over(seeds, lambda one: pick(one)["accuracy"]), f"{tokens:.1f}", f"{rate:.1f}"]
