"""Makes rewards of a finished tournament: one number per candidate, or None for a candidate that nobody could judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from adjudge import ConfigError, Ranking, TournamentResult

Reward: TypeAlias = Literal["rating", "win-rate", "rank", "minmax", "standardised"]


def as_reward(result: TournamentResult | Ranking, how: Reward = "standardised") -> list[float | None]:
    """A reward for every candidate, in candidate order; higher is better.

    - ``rating``: as the ranking has it, on the scheme's own scale, or on the Elo scale where `TournamentResult.rated_by` says so.
    - ``win-rate``: share of points in the matches that were read, a draw being half a point, in [0, 1]; needs a tournament.
    - ``rank``: place by rating, 1 for the best and 0 for the last; equal ratings share the mean of their places.
    - ``minmax``: rating moved to [0, 1] between the group's lowest and highest.
    - ``standardised``: rating minus the group's mean, in population standard deviations.

    A candidate without any match that was read is None, takes no part in the group's mean or bounds, and is to be masked. Where all
    ratings are equal the group prefers nobody: ``rank`` and ``minmax`` are then 0.5, ``standardised`` is 0.0. A plain ranking
    does not say which matches were read, so all of its candidates count. Candidates with the same text have the same reward, made of the
    mean of their ratings, or of all their matches: which of them a bracket's coin let advance says nothing about them. Raises
    `ConfigError` for an unknown `how`.
    """
    scale = _SCALES.get(how)
    if scale is None and how != "win-rate":
        raise ConfigError(f"reward: there is no {how!r}.\n  Remedy: write one of {', '.join(['win-rate', *_SCALES])}.")
    ranking = result.ranking if isinstance(result, TournamentResult) else result
    rates = win_rates(result) if isinstance(result, TournamentResult) else None
    if scale is None:
        if rates is None:
            raise ConfigError("reward: a win rate needs the matches.\n  Remedy: hand over the tournament instead of its ranking.")
        return rates
    known = [index for index in range(len(ranking.ratings)) if rates is None or rates[index] is not None]
    ratings = _alike(ranking.ratings, known, result.problem.answers) if isinstance(result, TournamentResult) else ranking.ratings
    values = dict(zip(known, scale([ratings[index] for index in known]), strict=True))
    return [values.get(index) for index in range(len(ranking.ratings))]


def win_rates(tournament: TournamentResult) -> list[float | None]:
    """Share of points of every candidate in the matches that were read; None without any."""
    size, answers = len(tournament.ranking.ratings), tournament.problem.answers
    first = [answers.index(answer) for answer in answers] if len(answers) == size else list(range(size))
    points, met = [0.0] * size, [0] * size
    for one in tournament.played:
        if not one.undecided:
            for candidate, share in ((one.match.first, one.points), (one.match.second, 1 - one.points)):
                points[first[candidate]] += share
                met[first[candidate]] += 1
    return [points[place] / met[place] if met[place] else None for place in first]


def _alike(ratings: Sequence[float], known: Sequence[int], answers: Sequence[str]) -> list[float]:
    """The ratings, of candidates with the same text the mean of those that are known."""
    if len(answers) != len(ratings):
        return list(ratings)
    same: dict[str, list[float]] = {}
    for index in known:
        same.setdefault(answers[index], []).append(ratings[index])
    return [
        math.fsum(same[answer]) / len(same[answer]) if answer in same else rating for answer, rating in zip(answers, ratings, strict=True)
    ]


def _rank(ratings: Sequence[float]) -> list[float]:
    others = len(ratings) - 1
    beaten = [sum((one > other) + 0.5 * (one == other) for other in ratings) - 0.5 for one in ratings]
    return [count / others if others else 0.5 for count in beaten]


def _minmax(ratings: Sequence[float]) -> list[float]:
    low, high = min(ratings, default=0.0), max(ratings, default=0.0)
    return [(rating - low) / (high - low) if high > low else 0.5 for rating in ratings]


def _standardised(ratings: Sequence[float]) -> list[float]:
    """In units of the spread first, so that neither huge nor tiny ratings overflow or vanish in their squares."""
    places = [place - 0.5 for place in _minmax(ratings)]
    mean = math.fsum(places) / max(1, len(places))
    deviation = math.sqrt(math.fsum((place - mean) ** 2 for place in places) / max(1, len(places)))
    return [(place - mean) / deviation if deviation > 0 else 0.0 for place in places]


_SCALES: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "rating": list, "rank": _rank, "minmax": _minmax, "standardised": _standardised,
}  # fmt: skip
