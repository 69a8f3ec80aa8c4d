"""Tournaments: four ways to turn pairwise verdicts into a ranking of many candidates, `round-robin`, `elo`, `knockout` and `vote`."""

from __future__ import annotations

from adjudge import Aggregator, hookimpl

from .elo import Elo
from .knockout import Knockout
from .round_robin import RoundRobin
from .vote import Vote

__all__ = ["Elo", "Knockout", "RoundRobin", "Vote", "register_aggregators"]


@hookimpl
def register_aggregators() -> list[type[Aggregator]]:
    """The four schemes."""
    return [RoundRobin, Elo, Knockout, Vote]
