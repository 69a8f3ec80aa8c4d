"""Tournaments: ways to turn pairwise verdicts into a ranking, `round-robin`, `elo`, `copeland`, `knockout`, `vote` and `active`."""

from __future__ import annotations

from adjudge import Aggregator, hookimpl

from .active import Active
from .copeland import Copeland
from .elo import Elo
from .knockout import Knockout
from .round_robin import RoundRobin
from .vote import Vote

__all__ = ["Active", "Copeland", "Elo", "Knockout", "RoundRobin", "Vote", "register_aggregators"]


@hookimpl
def register_aggregators() -> list[type[Aggregator]]:
    """The schemes that ship with adjudge."""
    return [RoundRobin, Elo, Copeland, Knockout, Vote, Active]
