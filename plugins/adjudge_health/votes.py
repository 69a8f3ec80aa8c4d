"""Probes of many judgements of one problem: whether the majority's share says how often it is right, and how far samples agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from adjudge import Outcome, Probe, Problem, ReasoningPath

from .units import JudgedPair, judged_pairs, labelled_pairs, mean_of, metric

BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the reliability bins; a vote share is at least one half, and the last bin holds 1."""


class Votes(Probe):
    """All decided judgements of a problem as votes: is the majority right, and does its share say how often?"""

    use: Literal["votes"] = "votes"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """The majority's accuracy, and whether its share says how often it is right.

        A tied vote is half right. Brier's score is of the share that says first against whether first is right; the calibration error is
        the mean, over problems, of a bin's distance between vote share and accuracy, and is too large when n is small.
        """
        cast, points, liked = [], [], []
        for pair in labelled_pairs(problems, paths):
            if len(pair.decided) > 1:
                cast.append(len(pair.decided))
                points.append(_confidence(pair))
                liked.append((pair.preference or 0.0, float(pair.problem.label == 0)))
        bins = [_bin(low, high, points) for low, high in pairwise(BINS)]
        error = sum(one["n"] * abs(one["vote_share"] - one["accuracy"]["value"]) for one in bins if one["n"])
        return {
            "votes": mean_of(cast) if cast else None,
            "majority": metric([right for _, right in points]),
            "brier": metric([(share_first - truth) ** 2 for share_first, truth in liked]),
            "calibration_error": {"value": error / len(points) if points else None, "n": len(points), "interval": None},
            "bins": bins,
        }


def _confidence(pair: JudgedPair) -> tuple[float, float]:
    """The share of the votes for the answer with more of them, and whether that is the right one."""
    first = pair.preference or 0.0
    right = 0.5 if first == 0.5 else float((first > 0.5) == (pair.problem.label == 0))
    return max(first, 1 - first), right


def _bin(low: float, high: float, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    inside = [(vote, right) for vote, right in points if low <= vote < high or vote == high == 1]
    return {
        "from": low,
        "to": high,
        "n": len(inside),
        "vote_share": mean_of(vote for vote, _ in inside) if inside else None,
        "accuracy": metric([right for _, right in inside]),
    }


class Agreement(Probe):
    """How far samples of one problem in one order agree."""

    use: Literal["agreement"] = "agreement"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """The share of pairs of samples with the same outcome, and of problems where all have it."""
        repeated = [[counts for counts in _by_order(pair) if counts.total() > 1] for pair in judged_pairs(problems, paths)]
        groups = [group for group in repeated if group]
        return {
            "samples": mean_of(counts.total() for group in groups for counts in group) if groups else None,
            "same_outcome": metric([mean_of(map(_same, group)) for group in groups]),
            "unanimous": metric([mean_of(float(len(counts) == 1) for counts in group) for group in groups]),
        }


def _by_order(pair: JudgedPair) -> list[Counter[Outcome]]:
    """How often each outcome came, for each order."""
    return [Counter(path.outcome for path in pair.paths if path.order == order) for order in ("given", "swapped")]


def _same(counts: Counter[Outcome]) -> float:
    """The share of pairs of samples that have the same outcome."""
    return sum(count * (count - 1) for count in counts.values()) / (counts.total() * (counts.total() - 1))
