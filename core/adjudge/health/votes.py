"""What many judgements of one problem tell: whether the majority's share says how often it is right, and how far samples agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from adjudge.benchmark import Judged
from adjudge.records import Outcome

from .units import figure, mean_of, preference

BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the reliability bins; a vote share is at least one half, and the last bin holds 1."""


def votes(labelled: Sequence[Judged]) -> dict[str, Any]:
    """All decided judgements of a problem as votes: the majority's accuracy, and whether its share says how often it is right.

    A tied vote is half right. Brier's score is of the share that says first against whether first is right; the calibration error is
    the mean, over problems, of a bin's distance between vote share and accuracy, and is too large when n is small.
    """
    cast = [item for item in labelled if sum(one.outcome.decided for one in item.judgements) > 1]
    points = [_confidence(item) for item in cast]
    liked = [(preference(item) or 0.0, float(item.problem.label == 0)) for item in cast]
    bins = [_bin(low, high, points) for low, high in pairwise(BINS)]
    error = sum(one["n"] * abs(one["vote_share"] - one["accuracy"]["value"]) for one in bins if one["n"])
    return {
        "votes": mean_of(sum(one.outcome.decided for one in item.judgements) for item in cast) if cast else None,
        "majority": figure([right for _, right in points]),
        "brier": figure([(share_first - truth) ** 2 for share_first, truth in liked]),
        "calibration_error": {"value": error / len(points) if points else None, "n": len(points), "interval": None},
        "bins": bins,
    }


def _confidence(item: Judged) -> tuple[float, float]:
    """The share of the votes for the answer with more of them, and whether that is the right one."""
    first = preference(item) or 0.0
    right = 0.5 if first == 0.5 else float((first > 0.5) == (item.problem.label == 0))
    return max(first, 1 - first), right


def _bin(low: float, high: float, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    inside = [(vote, right) for vote, right in points if low <= vote < high or vote == high == 1]
    return {
        "from": low,
        "to": high,
        "n": len(inside),
        "vote_share": mean_of(vote for vote, _ in inside) if inside else None,
        "accuracy": figure([right for _, right in inside]),
    }


def agreement(judged: Sequence[Judged]) -> dict[str, Any]:
    """Samples of one problem in one order: the share of pairs of samples with the same outcome, and of problems where all have it."""
    groups = [group for item in judged if (group := [counts for counts in _repeats(item) if counts.total() > 1])]
    return {
        "samples": mean_of(counts.total() for group in groups for counts in group) if groups else None,
        "same_outcome": figure([mean_of(map(_same, group)) for group in groups]),
        "unanimous": figure([mean_of(float(len(counts) == 1) for counts in group) for group in groups]),
    }


def _repeats(item: Judged) -> list[Counter[Outcome]]:
    """How often each outcome came, for each order."""
    found = sorted(item.judgements, key=lambda one: one.order)
    return [Counter(one.outcome for one in group) for _, group in groupby(found, key=lambda one: one.order)]


def _same(counts: Counter[Outcome]) -> float:
    """The share of pairs of samples that have the same outcome."""
    return sum(count * (count - 1) for count in counts.values()) / (counts.total() * (counts.total() - 1))
