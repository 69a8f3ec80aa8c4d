"""Soft against hard verdicts in tournaments: how many comparisons each takes to find the right answer of a group as often.

A judge is asked once about every pair of a group, in both orders, and the tournaments are played on what it said: the n-th time a pair
meets has the same judgement for everybody. Hard matches count who won, soft ones by how much.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import ROOT, number, spread, table
from without_labels_groups import Table, groups, kept, tables, together
from without_labels_worlds import World

from adjudge import Aggregator, Match, Outcome, Plugins, Problem, Ranking, bradley_terry, dump, open_judge, validate
from adjudge.testing import play_with
from adjudge_tournament import SoftOutcome

GROUPS, SIZE, VOTES, REPLAYS = 9, 8, 2, 5
"""Groups of each seed, answers of each, judgements of a pair in each order, and tournaments of each kind on a group."""
UNSURE = 0.2
"""A probability this near to 1/2 is unsure."""
AIM = 0.6
"""Share of the hard matches' comparisons within which soft ones are to find the right answer as often."""
BUDGETS = (4, 7, 10, 13, 16, 20, 24, 28, 42, 56)
"""Comparisons that a curve is cut at; 28 are a round robin, 16 what `active` takes unless it is told."""
JUDGES = {"sampled": "one judgement", "orders": "one in each order", "votes": f"{2 * VOTES} votes"}
"""What a match is made of. Hard: a verdict, a tie where orders disagree, the majority; soft: the mean probability, the share of votes."""
REFERENCE = {"elo": "28", "active": "16", "knockout": "best of 3", "swiss": "3 rounds"}
"""Where hard matches stand that soft ones are compared with: a scheme as it is used."""
HEAD = [
    "world", "a match is", "scheme", "hard matches", "right, hard", "right, soft, as many", "soft matches for the same", "share", "aim",
]  # fmt: skip
PLUGINS = Plugins.load(autoload=False)


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """For every judge and scheme, hard and soft: at every point the mean comparisons, and how often each group came out right."""
    problems = asked(world, seed)

    def judged() -> list[Table]:
        with open_judge(world.model, cache=False, seed=seed) as opened:
            return tables(opened, problems, {"use": "soft", "judge": {**dump(opened.options), "order": "both"}}, VOTES)

    sampled = kept(folder / "said.json", judged)
    of = {"sampled": sampled, "orders": [together(one, True) for one in sampled], "votes": [together(one, False) for one in sampled]}
    return {**{name: curves(found) for name, found in of.items()}, "unsure": unsure(sampled)}


def asked(world: World, seed: int) -> list[Problem]:
    """The groups of one world and seed."""
    return groups(world, 2 if world.tiny else GROUPS, SIZE, seed)


def curves(found: Sequence[Table]) -> dict[str, dict[str, dict[str, tuple[float, str]]]]:
    """Every scheme on what was said, hard and soft; no best of three where a pair has one judgement, which would be asked again."""
    again = all(len(said) > 1 for one in found for said in one.said.values())
    schemes = [scheme for scheme in REFERENCE if again or scheme != "knockout"]
    return {scheme: {kind: curve(found, scheme, soft) for kind, soft in (("hard", False), ("soft", True))} for scheme in schemes}


def unsure(found: Sequence[Table], pairs: Callable[[Table, tuple[int, int]], bool] = lambda one, pair: True) -> float:
    """The share of the judgements about these pairs whose probability is near 1/2."""
    return fmean(abs(share - 0.5) < UNSURE for one in found for pair, said in one.said.items() if pairs(one, pair) for _, share in said)


Points = dict[str, tuple[float, list[float]]]
"""By a point's name: comparisons in the mean, and how often each group's right answer came out first."""


def curve(found: Sequence[Table], scheme: str, soft: bool) -> dict[str, tuple[float, str]]:
    """One scheme at every point: comparisons in the mean, and of every group, a digit each, how many tournaments found its right answer."""
    hits: dict[str, str] = {}
    taken: dict[str, list[int]] = {}
    for place, one in enumerate(found):
        mine: dict[str, list[bool]] = {}
        for replay in range(REPLAYS):
            for point, top, comparisons in played(one, scheme, soft, 1000 * place + replay):
                mine.setdefault(point, []).append(top == one.right)
                taken.setdefault(point, []).append(comparisons)
        for point, right in mine.items():
            hits[point] = hits.get(point, "") + str(sum(right))
    return {point: (fmean(taken[point]), digits) for point, digits in hits.items()}


def played(found: Table, scheme: str, soft: bool, seed: int) -> Iterator[tuple[str, int, int]]:
    """At every point: its name, who came out first, and after how many comparisons."""
    if scheme == "elo":
        results = recorded(made("elo", soft, meetings=2), found, soft, seed)[1]
        for budget in BUDGETS:
            ratings = bradley_terry(found.size, results[:budget])
            yield str(budget), Ranking.best_first(ratings.values, random.Random(seed)).order[0], budget
    elif scheme == "active":
        for budget in BUDGETS[:8]:
            ranking, results = recorded(made("active", soft, budget=budget, confidence=0.999999), found, soft, seed)
            yield str(budget), ranking.order[0], len(results)
    else:
        points = (
            {f"best of {most}": {"best_of": most} for most in (1, 3, 5)}
            if scheme == "knockout"
            else {f"{rounds} rounds": {"rounds": rounds} for rounds in range(1, 8)}
        )
        for name, options in points.items():
            ranking, results = recorded(made(scheme, soft, **options), found, soft, seed)
            yield name, ranking.order[0], len(results)


def made(scheme: str, soft: bool, **options: Any) -> Aggregator:
    """A scheme; `swiss` is the one of contrib."""
    if scheme == "swiss":
        sys.path.insert(0, str(ROOT / "contrib" / "adjudge-swiss"))
        from adjudge_swiss import Swiss

        return Swiss(soft=soft, **options)
    return validate(Aggregator, {"use": scheme, "soft": soft, **options}, PLUGINS, "aggregator")


def recorded(scheme: Aggregator, found: Table, soft: bool, seed: int) -> tuple[Ranking, list[tuple[Match, Any]]]:
    """A tournament on what was said: its ranking, and its matches with their outcomes. A pair's judgements come in a seeded order."""
    results: list[tuple[Match, Any]] = []
    meetings: dict[tuple[int, int], int] = {}

    def decide(first: int, second: int) -> Any:
        pair = (min(first, second), max(first, second))
        number = meetings[pair] = meetings.get(pair, random.Random(f"{seed}/{pair}").randrange(100)) + 1
        said = found.turned(first, second)
        points, share = said[number % len(said)]
        hard = Outcome.TIE if points == 0.5 else Outcome.FIRST if points > 0.5 else Outcome.SECOND
        outcome = SoftOutcome(share) if soft else hard
        results.append((Match(first, second), outcome))
        return outcome

    ranking, _ = play_with(scheme, found.size, decide, seed)
    return ranking, results


# Tables ----------------------------------------------------------------------------------------------------------------------


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """How often each finds the right answer where hard matches are as they are used, and what soft ones take for as much."""
    count = len(next(iter(results.values()))) if results else 0
    doubts = [[world, number(spread([one["unsure"] for one in seeds]))] for world, seeds in results.items()]
    return "\n\n".join([
        f"{GROUPS} groups of {SIZE} answers for each of {count} seeds, {REPLAYS} tournaments of each kind on a group. 95% intervals from"
        f" drawing groups anew. Aim: a share of at most {AIM:g}.", table(HEAD, rows_of(results, JUDGES)),
        f"Judgements whose probability is within {UNSURE:g} of 1/2:", table(["world", "share of all"], doubts),
    ])  # fmt: skip


def rows_of(results: dict[str, list[dict[str, Any]]], judges: dict[str, str]) -> list[list[str]]:
    """Every world's judges, by what a match is made of, with the schemes that were played on them."""
    rows = []
    for world, seeds in results.items():
        for judge, label in judges.items():
            for scheme, point in REFERENCE.items():
                if scheme in seeds[0][judge]:
                    both = {kind: pooled([one[judge][scheme][kind] for one in seeds]) for kind in ("hard", "soft")}
                    rows.append([world, label, f"{scheme}, {point}", *compared(both, point)])
    return rows


def pooled(seeds: Sequence[dict[str, Any]]) -> Points:
    """One curve over the groups of all seeds."""
    return {
        point: (fmean(one[point][0] for one in seeds), [int(digit) / REPLAYS for one in seeds for digit in one[point][1]])
        for point in seeds[0]
    }


def compared(curves: dict[str, Points], point: str) -> list[str]:
    """A row: the hard matches, both at their number, and the soft matches that find as much; no aim where hard ones find it by chance."""
    matches, rates = curves["hard"][point]
    needed = enough(curves, point, range(len(rates)))
    rng, found = random.Random(0), []
    for _ in range(400):
        found.append(enough(curves, point, rng.choices(range(len(rates)), k=len(rates))))
    finite = sorted(one if one is not None else float("inf") for one in found)
    low, high = finite[10], finite[-11]
    told = "not reached" if needed is None else f"{needed:.1f}"
    share = (
        "–"
        if needed is None
        else f"{needed / matches:.2f} ({low / matches:.2f} to {'∞' if high == float('inf') else f'{high / matches:.2f}'})"
    )
    met = "yes" if needed is not None and needed / matches <= AIM else "**no**"
    aim = met if drawn(rates)[0] > 1 / SIZE else "by chance"
    return [f"{matches:.1f}", interval(rates), interval(curves["soft"][point][1]), told, share, aim]


def interval(rates: Sequence[float], sign: str = "") -> str:
    """A mean over groups with its bootstrap interval."""
    low, high = drawn(rates)
    return f"{fmean(rates):{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def drawn(rates: Sequence[float]) -> tuple[float, float]:
    """The bootstrap interval of a mean over groups."""
    rng = random.Random(0)
    means = sorted(fmean(rng.choices(rates, k=len(rates))) for _ in range(400))
    return means[10], means[-11]


def enough(curves: dict[str, Points], point: str, groups: Sequence[int]) -> float | None:
    """The fewest soft matches that are right as often as the hard ones, between points in a straight line; None: not reached."""

    def rate(kind: str, name: str) -> float:
        return fmean(curves[kind][name][1][place] for place in groups)

    aim, before = rate("hard", point), None
    for name, (matches, _) in sorted(curves["soft"].items(), key=lambda item: item[1][0]):
        here = (matches, rate("soft", name))
        if here[1] >= aim - 1e-9:
            if before is None or here[1] == before[1]:
                return matches
            return before[0] + (matches - before[0]) * (aim - before[1]) / (here[1] - before[1])
        before = here
    return None
