"""Who is ahead in each pair, when pairs have met more than once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from adjudge import Match, Outcome

Leads: TypeAlias = Mapping[tuple[int, int], float]
"""For each pair, lower index first, by how many points the lower index is ahead; below 0 when it is behind."""


def leads(results: Iterable[tuple[Match, Outcome]]) -> Leads:
    """Points ahead in every pair that met."""
    found: dict[tuple[int, int], float] = {}
    for match, outcome in results:
        pair = min(match.first, match.second), max(match.first, match.second)
        lead = 2 * outcome.points - 1
        found[pair] = found.get(pair, 0.0) + (lead if match.first == pair[0] else -lead)
    return found


def pairs_won(size: int, leads: Leads) -> list[float]:
    """How many pairs every candidate is ahead in; a pair that is level is half a pair each."""
    won = [0.0] * size
    for (one, other), lead in leads.items():
        won[one] += 0.5 if lead == 0 else lead > 0
        won[other] += 0.5 if lead == 0 else lead < 0
    return won
