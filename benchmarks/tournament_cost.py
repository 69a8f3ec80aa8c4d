"""What a ranking costs and what it is worth, scheme by scheme, without a model: ``python benchmarks/tournament_cost.py``.

Every scheme that is installed is measured by its name, a third party's too. All schemes are given the same judgements: the k-th
time a pair of a group meets has one outcome, whoever asks. Writes ``results/tournament_cost.json``, ``.md`` tables and two plots.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from bench import save
from scipy.stats import kendalltau
from tournament_groups import Group, Judgements, gpt4_preferences, panel_votes, programs, results_of, simulated, solutions
from tournament_peers import PEERS, Result, installed
from tournament_tables import write_tables

from adjudge import Aggregator, Interval, Outcome, Plugins, Ranking, Voting, bradley_terry, majority, wilson
from adjudge.testing import play_with

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "knockout": [{"best_of": 3}],
    "active": [{"aim": "order"}],
}
"""Options that are measured beside a scheme's defaults; schemes that are not named here are measured with their defaults alone."""
UNSTOPPED: dict[str, dict[str, Any]] = {"active": {"confidence": 0.999999}}
"""For the curves: options that keep a scheme from ending before the budget does."""
SHARES = (0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""Budgets of the curves, as shares of a round robin; N - 1 matches come before them."""
PEER_GROUPS = 20
"""Groups of each set that the peers rate too: arena-rank compiles anew for each, which takes seconds."""


def schemes() -> dict[str, Aggregator]:
    """Every installed scheme with its defaults, and the variants."""
    found: dict[str, Aggregator] = {}
    for name, entry in Plugins.load().of_kind(Aggregator).items():
        found[name] = entry.cls()
        for options in VARIANTS.get(name, []):
            found[" ".join([name, *(f"{option}={value}" for option, value in options.items())])] = entry.cls(**options)
    return found


def curve_schemes() -> dict[str, Aggregator]:
    """The schemes again, kept from stopping by themselves."""
    found: dict[str, Aggregator] = {}
    for label, scheme in schemes().items():
        found[label] = scheme.model_copy(update=UNSTOPPED.get(scheme.use, {}))
    return found


# One tournament ------------------------------------------------------------------------------------------------------------


def measure(group: Group, ranking: Ranking, comparisons: int, full: Sequence[float], seconds: float) -> dict[str, Any]:
    """What one ranking found, against the truth and against the round robin on the same judgements."""
    top = ranking.order[0]
    scale = true_ratings(group, ranking)
    return {
        "comparisons": comparisons,
        "found": group.worth[top] == max(group.worth),
        "regret": max(group.worth) - group.worth[top],
        "tau": tau(ranking.ratings, full),
        "tau_truth": None if group.skill is None else tau(ranking.ratings, group.skill),
        "held": None if scale is None else covered(scale, ranking.intervals),
        "seconds": seconds,
    }


def tau(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b; None when one of them has no order."""
    value = float(kendalltau(one, other).statistic)
    return None if math.isnan(value) else value


def true_ratings(group: Group, ranking: Ranking) -> list[float] | None:
    """The true ratings on the scale that this ranking has intervals on: Elo points, or shares of points."""
    if group.skill is None or ranking.intervals is None:
        return None
    size = len(group.skill)
    if max(ranking.ratings) > 1:
        mean = math.fsum(group.skill) / size
        return [1000 + 400 / math.log(10) * (skill - mean) for skill in group.skill]
    return [sum(group.chance(one, other) for other in range(size) if other != one) / (size - 1) for one in range(size)]


def covered(truth: Sequence[float], intervals: Sequence[Interval] | None) -> float:
    held = [low <= value <= high for value, (low, high) in zip(truth, intervals or (), strict=True)]
    return sum(held) / len(held)


def compare(job: tuple[Group, int, bool, bool]) -> dict[str, Any]:
    """Every scheme on one group; curves and peers where asked for."""
    group, number, curves, peers = job
    size = len(group.worth)
    full, matches = play_with(Plugins.load().of_kind(Aggregator)["round-robin"].cls(), size, Judgements(group), number)
    found: dict[str, Any] = {"schemes": {}, "curves": {}, "peers": {}}
    for label, scheme in schemes().items():
        start = time.perf_counter()
        ranking, played = play_with(scheme, size, Judgements(group), number)
        found["schemes"][label] = measure(group, ranking, len(played), full.ratings, time.perf_counter() - start)
    for label, scheme in curve_schemes().items() if curves else ():
        found["curves"][label] = curve(group, scheme, number, full.ratings)
    for name in installed() if peers else ():
        found["peers"][name] = rated(group, name, results_of(matches, group), full.ratings, number)
    return found


def curve(group: Group, scheme: Aggregator, seed: int, full: Sequence[float]) -> dict[str, Any]:
    """What the first matches of a scheme are worth: cut at each budget, rated by Bradley-Terry as `adjudge rank` does on a budget."""
    size = len(group.worth)
    if "budget" in type(scheme).model_fields:
        scheme = scheme.model_copy(update={"budget": size * (size - 1) // 2})
    _, played = play_with(scheme, size, Judgements(group), seed)
    results = results_of(played, group)
    points = {}
    for share, budget in budgets(size).items():
        ratings = bradley_terry(size, results[:budget])
        ranking = Ranking.best_first(ratings.values, random.Random(seed))
        points[share] = measure(group, ranking, min(budget, len(results)), full, 0)
    return points


def budgets(size: int) -> dict[str, int]:
    """Matches at each point of a curve."""
    pairs = size * (size - 1) // 2
    return {"N-1": size - 1, **{f"{share:.0%}": max(size - 1, round(share * pairs)) for share in SHARES}}


def rated(group: Group, peer: str, results: Sequence[Result], full: Sequence[float], seed: int) -> dict[str, Any]:
    """A library's rating of a played round robin."""
    start = time.perf_counter()
    values, intervals = PEERS[peer][1](len(group.worth), results)
    ranking = Ranking.best_first(values, random.Random(seed), intervals)
    return measure(group, ranking, len(results), full, time.perf_counter() - start)


# Many tournaments ----------------------------------------------------------------------------------------------------------


def over_groups(pool: ProcessPoolExecutor, groups: Sequence[Group], *, curves: bool, peers: bool) -> dict[str, Any]:
    """Means over groups, for every scheme, peer and point of a curve."""
    jobs = [(group, number, curves, peers and number < PEER_GROUPS) for number, group in enumerate(groups)]
    found = list(pool.map(compare, jobs, chunksize=4))

    def collect(pick: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        labels = dict.fromkeys(label for one in found for label in pick(one))
        return {label: summary([pick(one)[label] for one in found if label in pick(one)]) for label in labels}

    return {
        "groups": len(groups),
        "candidates": len(groups[0].worth),
        "schemes": collect(lambda one: one["schemes"]),
        "peers": collect(lambda one: one["peers"]),
        "curves": {label: collect(lambda one, label=label: one["curves"][label]) for label in found[0]["curves"]},
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over groups; `found` also with its 95% interval."""
    hits = sum(row["found"] for row in rows)
    fields = ("comparisons", "regret", "tau", "tau_truth", "training_load", "seconds")
    return {
        "n": len(rows),
        "found": hits / len(rows),
        "found_interval": list(wilson(hits, len(rows))),
        **{field: mean([row[field] for row in rows if row[field] is not None]) for field in fields},
    }


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


# Votes on one pair ---------------------------------------------------------------------------------------------------------


def votes_needed(pairs: Sequence[tuple[int, list[int]]], voting: Voting, repeats: int) -> dict[str, Any]:
    """How often the majority of drawn real votes is the label, and how many votes it took."""
    right, cast, alike, n = 0, 0, 0, 0
    whole = Voting(votes=voting.votes)
    for number, (label, votes) in enumerate(pairs):
        for repeat in range(repeats):
            drawn = random.Random(f"{number}/{repeat}").sample(votes, voting.votes)
            outcomes = [(Outcome.FIRST, Outcome.SECOND)[vote] for vote in drawn]
            mine, all_of_them = taken(outcomes, voting), taken(outcomes, whole)
            right += majority(mine) == (Outcome.FIRST, Outcome.SECOND)[label]
            alike += majority(mine) == majority(all_of_them)
            cast, n = cast + len(mine), n + 1
    return {"n": n, "right": right / n, "right_interval": list(wilson(right, n)), "votes": cast / n, "as_all": alike / n}


def taken(outcomes: Sequence[Outcome], voting: Voting) -> list[Outcome]:
    """The votes that are asked for before the match is settled."""
    cast: list[Outcome] = []
    while more := voting.more(cast):
        cast += outcomes[len(cast) : len(cast) + more]
    return cast


def voting_table() -> dict[str, Any]:
    settings = {f"confidence={confidence}": Voting(votes=9, confidence=confidence) for confidence in (0.8, 0.9, 0.95)}
    ways = {"vote@1": Voting(), "vote@9, early stop": Voting(votes=9), **settings}
    panels = {"65 judges": panel_votes(), "GPT-4 judges": panel_votes("GPT-4")}
    return {panel: {way: votes_needed(pairs, voting, 10) for way, voting in ways.items()} for panel, pairs in panels.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--groups", type=int, default=200, help="simulated groups per scale")
    parser.add_argument("--programs", type=int, default=12, help="groups of a hundred programs per accuracy")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    start = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        run = partial(over_groups, pool)
        sets = {f"Bradley-Terry, scale {s}": run(simulated(s, options.groups), curves=True, peers=True) for s in (1, 2, 4)}
        sets["GPT-4 preferences"] = run(gpt4_preferences(), curves=True, peers=True)
        for right in (0.6, 0.75, 0.9):
            sets[f"HumanEval, judge {right}"] = run(programs(right, options.programs), curves=False, peers=False)
            sets[f"GSM8K, judge {right}"] = run(solutions(right), curves=False, peers=False)
    absent = [name for name in PEERS if name not in installed()]
    data = {"seconds": time.perf_counter() - start, "jobs": options.jobs, "absent_peers": absent, "sets": sets, "voting": voting_table()}
    save("tournament_cost", data)
    write_tables(data)


if __name__ == "__main__":
    main()
