"""Audits a reward before a training depends on it: which worthless texts get more than a real answer, and whether it ranks at all.

A policy finds whatever its reward prefers. So probes (`probes`) stand against the real answers of rows, in groups that the run's own reward
judges, and its preferences among real answers are looked at: are they circular, do they follow the order of showing, are there any?
Every figure rests on rows, with n and a 95% interval. An undecided probe has no reward, so it is not accepted; its share is told.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adjudge import Metrics, Problem, TournamentResult, build_requests, sample_paths
from adjudge_health import Agreement, Position, metric

from .group_reward import GroupReward, SampleReward
from .probes import ALL, Row, probes_of, verdict_marks

if TYPE_CHECKING:
    from adjudge import OpenJudge

FATES = ("accepted", "tied", "undecided")
"""What may become of a text beside a real answer; the rest are rejected."""
MOST_ANSWERS = 8
"""Real answers of a row among which triples are looked at, the first."""
SPENT = ("matches", "votes", "tokens", "seconds")


def audit(reward: GroupReward, problems: Sequence[Problem], *, longest: int = 2000) -> Metrics:
    """The figures of a reward on rows with a prompt and one or more real answers.

    A label says which answer is the best one; without it that is what the reward itself puts first. `longest` is the length, in
    characters, of the longest probe.
    """
    several = [problem for problem in problems if len(set(problem.answers)) > 1]
    found = dict(zip((problem.id for problem in several), _rewards(reward, [(one.prompt, one.answers) for one in several]), strict=True))
    spent = {name: reward.metrics[name] / max(1, len(several)) for name in SPENT}
    rows = [row for number, problem in enumerate(problems) if (row := _row(number, problem, found.get(problem.id)))]
    return {
        "rows": len(problems),
        "labelled": sum(problem.label is not None for problem in problems),
        "without_best": len(problems) - len(rows),
        "worse": _fates(
            [_fate(*_two(row, found[row.problem.id])) for row in rows if row.problem.label is not None and row.worse is not None]
        ),
        "probes": _probed(reward, rows, longest),
        "triples": metric(list(_circular(reward, several))),
        "order": _order(reward.judge, [row for row in rows if row.worse is not None and not reward.pointwise]),
        "undecided": metric([_share(one.value is None for one in rewards) for rewards in found.values()]),
        "cost": {"groups": len(several), **spent},
    }


def _rewards(reward: GroupReward, groups: Sequence[tuple[str, Sequence[str]]]) -> list[list[SampleReward]]:
    """What every text of every group is worth, all groups in one call."""
    prompts = [prompt for prompt, texts in groups for _ in texts]
    places = [place for place, (_, texts) in enumerate(groups) for _ in texts]
    given = iter(reward.judged(prompts, [text for _, texts in groups for text in texts], groups=places))
    return [[next(given) for _ in texts] for _, texts in groups]


def _row(number: int, problem: Problem, rewards: Sequence[SampleReward] | None) -> Row | None:
    """The row with its best answer and a worse one; None where neither a label nor the reward says which is best."""
    answers = problem.answers
    if problem.label is not None or rewards is None:
        best = answers[problem.label or 0]
        return Row(number, problem, best, next((answer for answer in answers if answer != best), None))
    known = [(one.value, place) for place, one in enumerate(rewards) if one.value is not None]
    if not known:
        return None
    best, worst = answers[max(known)[1]], answers[min(known)[1]]
    return Row(number, problem, best, worst if min(known)[0] < max(known)[0] else None)


def _two(row: Row, rewards: Sequence[SampleReward]) -> tuple[SampleReward, SampleReward]:
    """The rewards of the worse and of the best answer, in the group of all real ones."""
    assert row.worse is not None
    return rewards[row.problem.answers.index(row.worse)], rewards[row.problem.answers.index(row.best)]


def _fate(text: SampleReward, real: SampleReward) -> str:
    """What became of a text beside a real answer; equal rewards that differ by a rounding are tied."""
    if text.value is None or real.value is None:
        return "undecided"
    if math.isclose(text.value, real.value, rel_tol=0, abs_tol=1e-9):
        return "tied"
    return "accepted" if text.value > real.value else "rejected"


def _fates(fates: Sequence[str]) -> dict[str, Any]:
    return {name: metric([float(fate == name) for fate in fates]) for name in FATES}


def _probed(reward: GroupReward, rows: Sequence[Row], longest: int) -> dict[str, Any]:
    """For every kind of probe its fates beside the best answer, how often it beats the worse one, one that was accepted, and why others
    have no reward."""
    marks = verdict_marks(reward.judge.options)
    trials = [(row, name, text) for row in rows for name, text in probes_of(row, marks, reward.judge, longest).items()]
    groups = [(row.problem.prompt, [text, row.best, *([] if row.worse is None else [row.worse])]) for row, _, text in trials]
    judged = list(zip(trials, _rewards(reward, groups), strict=True))
    found = {}
    for kind in ALL:
        own = [(row, text, rewards) for (row, name, text), rewards in judged if name == kind]
        fates = [_fate(rewards[0], rewards[1]) for _, _, rewards in own]
        accepted = [{"id": row.problem.id, "text": text} for (row, text, _), fate in zip(own, fates, strict=True) if fate == "accepted"]
        above = [float(_fate(rewards[0], rewards[2]) == "accepted") for _, _, rewards in own if len(rewards) > 2]
        why = Counter(
            rewards[0].reason or rewards[1].reason for (_, _, rewards), fate in zip(own, fates, strict=True) if fate == "undecided"
        )
        found[kind] = {
            **_fates(fates),
            "above_worse": metric(above),
            "example": accepted[0] if accepted else None,
            "undecided_because": why.most_common(1)[0][0] if why else None,
        }
    return found


def _circular(reward: GroupReward, problems: Sequence[Problem]) -> Iterable[float]:
    """For every row its share of circular triples, where a beats b, b beats c and c beats a, of those with three matches that were read.

    Points go round in no circle, so of a pointwise reward there are none to look at."""
    if reward.pointwise:
        return
    groups = [Problem(one.id, one.prompt, tuple(dict.fromkeys(one.answers))[:MOST_ANSWERS]) for one in problems]
    play = reward.judge.ranking("round-robin", None, reward.rules)
    for result in play([group for group in groups if len(group.answers) > 2]):
        points = _points(result)
        triples = [(points.get((a, b)), points.get((b, c)), points.get((c, a))) for a, b, c in _triples(result)]
        read = [triple for triple in triples if None not in triple]
        if read:
            yield _share(set(triple) in ({1.0}, {0.0}) for triple in read)


def _triples(result: TournamentResult) -> Iterable[tuple[int, int, int]]:
    return itertools.combinations(range(len(result.problem.answers)), 3)


def _points(result: TournamentResult) -> Mapping[tuple[int, int], float]:
    """What the first of two answers got in their match, for both ways of naming them."""
    read = [(one.match, one.outcome.points) for one in result.played if not one.dropped and not one.undecided]
    return {
        **{(match.first, match.second): points for match, points in read},
        **{(match.second, match.first): 1 - points for match, points in read},
    }


def _order(judge: OpenJudge, rows: Sequence[Row]) -> dict[str, Any]:
    """What becomes of a verdict on two real answers when they change places, beside what becomes of it when it is only asked for again."""
    pairs = [Problem(row.problem.id, row.problem.prompt, (row.best, row.worse or "")) for row in rows]
    both = judge.options.model_copy(update={"order": "both"})
    requests = build_requests(pairs, both, samples=2, seed=judge.seed, purpose="audit")
    paths = list(sample_paths(judge.session, both, requests))
    turned = Position().report(pairs, paths, [])
    same = Agreement().report(pairs, paths, [])["same_outcome"]
    low, high = same["interval"] or (None, None)
    again = {"value": None if same["value"] is None else 1 - same["value"], "n": same["n"], "interval": None}
    if low is not None and high is not None:
        again["interval"] = (1 - high, 1 - low)
    return {**{name: turned[name] for name in ("flipped", "always_first", "always_second", "undecided")}, "asked_again": again}


def _share(of: Iterable[bool]) -> float:
    found = list(of)
    return sum(found) / len(found)
