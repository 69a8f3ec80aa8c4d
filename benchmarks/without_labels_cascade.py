"""Direct judge, reasoning judge, and cascades of the two: accuracy, tokens of a verdict, and accuracy for 1,000 tokens.

Every judge is asked once about each pair of two sets: labelled pairs of the training part, on which a cascade's margin is found as
``adjudge fit`` finds it, and pairs of the test part, on which all are compared. A cascade is worked out from what its judges said.
The direct judge is the reasoning one, asked for no reasoning; and *taught*, fine-tuned on bare verdicts, as baselines of the papers are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import number, spread, table
from without_labels_taught import BATCH, STEPS, taught
from without_labels_ways import auc
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
    **{f"taught, then {last}": ("taught", last) for last in ("sampled", "greedy", "majority")},
    "direct, then sampled": ("direct", "sampled"),
    "direct, then greedy": ("direct", "greedy"),
    "sampled, then greedy": ("sampled", "greedy"),
    "direct, then majority": ("direct", "majority"),
    "sampled, then majority": ("sampled", "majority"),
}
"""Every cascade's judges."""
SHORT = ("taught, then sampled", "taught, then greedy", "taught, then majority", "direct, then greedy", "sampled, then greedy")
"""Cascades of the short table."""
NAMES = {
    "direct": "direct: no reasoning",
    "taught": "taught: no reasoning, fine-tuned to do without",
    "sampled": "reasoning, sampled; its probability is read behind it",
    "greedy": "reasoning, greedy",
    "majority": f"reasoning, majority of {VOTES}",
}
SINGLE = ("direct", "taught", "sampled", "greedy")
"""Judges of one judgement."""


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracy and tokens of every judge and cascade, and of the direct judge at each level."""
    fitted, tested = (problems_of(world, count, seed, part) for count, part in ((FITTED, "train"), (TESTED, "test")))
    apart = {pair.prompt for other in range(10) for pair in problems_of(world, FITTED, other, "train")}
    model = taught(world, folder.parent / f"{world.name}-taught", apart)
    with open_judge(world.model, cache=False, seed=seed) as opened:
        known, found = (asked(opened, problems) for problems in (fitted, tested))
        own = opened.options
    with open_judge(model, judge=own, cache=False, seed=seed) as opened:
        for problems, into in ((fitted, known), (tested, found)):
            requests = build_requests(problems, own, seed=seed)
            made = answers(opened, {"use": "direct", "judge": dump(own)}, requests)
            into["taught"] = [said([made[one.id]], one.problem) for one in requests]
    levels = sorted({problem.meta["level"] for problem in tested})
    return {
        "alone": {name: alone(samples) for name, samples in found.items()},
        "cascades": {name: cascade(known, found, pair) for name, pair in CASCADES.items()},
        "at_equal_tokens": {
            name: cascade(known, found, pair, tokens=alone(known["greedy"])["tokens"])
            for name, pair in CASCADES.items()
            if pair[1] == "majority"
        },
        "by_level": {
            name: {
                level: fmean(one[1] for one, problem in zip(found[name], tested, strict=True) if problem.meta["level"] == level)
                for level in levels
            }
            for name in SINGLE
        },
        "knows_when": {name: surer_where_right(found[name]) for name in SINGLE},
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


def surer_where_right(samples: Sequence[Said]) -> float | None:
    """How often a right verdict's probability is farther from 1/2 than a wrong one's: 0.5 is a judge that does not know when it errs."""
    told = [(distance, right) for distance, right, _ in samples if distance is not None]
    return auc([distance for distance, right in told if right], [distance for distance, right in told if not right])


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


def shown(results: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What each costs and is worth, and whether a cascade keeps what is aimed at; and the rows that a short table has room for."""
    counts = ", ".join(f"{world} {len(seeds)}" for world, seeds in results.items())
    intro = (
        f"Mean with Student's 95% interval over seeds ({counts}); {TESTED} pairs each, margins from {FITTED} others, the taught judge from"
        f" {STEPS * BATCH:,} more. Tokens are of one verdict. Aim: a cascade that loses at most {KEPT:.3f} to its last judge, with at most"
        f" {SHARE:g} of its tokens."
    )
    tables = {
        name: worths([row for world, seeds in results.items() for row in rows_of(world, seeds, names)])
        for name, names in (("", CASCADES), ("short", SHORT))
    }
    known = "Accuracy by level, and how often a right verdict is surer than a wrong one (0.5: the judge does not know when it errs):"
    return {name: f"{intro}\n\n{made}\n\n{known}\n\n{by_level(results)}" for name, made in tables.items()}


def by_level(results: dict[str, list[dict[str, Any]]]) -> str:
    """Judges of one judgement: accuracy at each level, and whether they know when they err."""
    rows = [
        [
            world,
            name,
            *(over(seeds, lambda one, name=name, level=level: one["by_level"][name][level]) for level in map(str, LEVELS)),
            when(seeds, name),
        ]
        for world, seeds in results.items()
        for name in SINGLE
    ]
    return table(["world", "judge", *(f"level {level}" for level in LEVELS), "surer where right"], rows)


def worths(rows: list[list[str]]) -> str:
    return table(
        ["world", "judge", "accuracy", "tokens", "accuracy for 1,000 tokens", "lost to its last judge", "share of its tokens", "aim"], rows
    )


def when(seeds: Sequence[dict[str, Any]], name: str) -> str:
    """How often the judge is surer where it is right; a dash where a judge tells no probability."""
    found = [one["knows_when"][name] for one in seeds]
    return "–" if None in found or set(found) == {0.5} else number(spread(found))


def over(seeds: Sequence[dict[str, Any]], pick: Callable[[dict[str, Any]], float], sign: str = "") -> str:
    return number(spread([pick(one) for one in seeds]), sign)


def rows_of(world: str, seeds: Sequence[dict[str, Any]], names: Iterable[str]) -> list[list[str]]:
    """One world's judges, and its cascades of these names."""
    rows = [[world, label, *worth(seeds, lambda one, name=name: one["alone"][name]), "", "", ""] for name, label in NAMES.items()]
    for name in names:
        rows.append([world, f"cascade: {name}", *cascaded(seeds, lambda one, name=name: one["cascades"][name])])
    for name in [one for one in names if one in seeds[0]["at_equal_tokens"]]:
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
