"""The margins of a cascade, from labelled pairs that every one of its judges has judged: for an accuracy, or for a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

CANDIDATES = 21
"""Margins that are tried for each judge: what it observed, evenly from all."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled sample as every judge of a cascade sees it, in their order."""

    distances: tuple[float | None, ...]
    """How far each one's probability is from 1/2; None where it could not decide."""
    right: tuple[bool, ...]
    tokens: tuple[int, ...]
    """What each one writes."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Margins, and what they come to on the pairs that they were chosen by."""

    margins: tuple[float, ...]
    accuracy: float
    tokens: float
    """Mean tokens of a sample."""
    asked: tuple[float, ...]
    """The share of samples that each judge is asked about."""


def decider(one: Judged, margins: Sequence[float]) -> int:
    """The place of the judge that decides a sample: the first whose probability is as far from 1/2 as its margin, or the last."""
    for place, margin in enumerate(margins):
        if (distance := one.distances[place]) is not None and distance >= margin:
            return place
    return len(margins)


def outcome_of(samples: Sequence[Judged], margins: Sequence[float]) -> Fit:
    """What a cascade with these margins, one for each judge but the last, comes to."""
    right, tokens, asked = 0, 0, [0] * (len(margins) + 1)
    for one in samples:
        last = decider(one, margins)
        for place in range(last + 1):
            asked[place] += 1
            tokens += one.tokens[place]
        right += one.right[last]
    n = len(samples)
    return Fit(tuple(margins), right / n, tokens / n, tuple(count / n for count in asked))


def fit_margins(samples: Sequence[Judged], *, accuracy: float | None = None, tokens: float | None = None) -> Fit:
    """The cheapest margins that are right as often as `accuracy`, or the most accurate ones within `tokens` a sample in the mean.

    With neither, the cheapest that are right as often as the last judge alone. Where nothing reaches the aim, the nearest to it. Raises
    `ValueError` without samples."""
    if not samples:
        raise ValueError("margins are found on labelled pairs, and there are none")
    fits = [outcome_of(samples, margins) for margins in product(*_candidates(samples))]
    if tokens is not None:
        within = [fit for fit in fits if fit.tokens <= tokens] or [min(fits, key=lambda fit: fit.tokens)]
        return max(within, key=lambda fit: (fit.accuracy, -fit.tokens))
    aim = accuracy if accuracy is not None else sum(one.right[-1] for one in samples) / len(samples)
    best = max(fit.accuracy for fit in fits)
    return min((fit for fit in fits if fit.accuracy >= min(aim, best)), key=lambda fit: (fit.tokens, -fit.accuracy))


def _candidates(samples: Sequence[Judged]) -> Iterator[list[float]]:
    """Margins worth trying, for each judge but the last: 0, what was observed, and 1/2; fewer for each where there are many judges."""
    judges = len(samples[0].tokens) - 1
    most = CANDIDATES if judges < 3 else 7
    for place in range(judges):
        seen = sorted({round(distance, 4) for one in samples if (distance := one.distances[place]) is not None})
        step = max(1, -(-len(seen) // most))
        yield sorted({0.0, *seen[::step], 0.5})
