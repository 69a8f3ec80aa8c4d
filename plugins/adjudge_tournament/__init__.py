"""Tournaments: schemes that turn pairwise verdicts into a ranking, from `round-robin` to `active`, and rewards from rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Aggregator

    from .active import Active
    from .copeland import Copeland
    from .elo import Elo
    from .knockout import Knockout
    from .rewards import Reward, as_reward
    from .round_robin import RoundRobin
    from .vote import Vote

__all__ = ["Active", "Copeland", "Elo", "Knockout", "Reward", "RoundRobin", "Vote", "as_reward", "register_aggregators"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_aggregators() -> list[type[Aggregator]]:
    """The schemes that ship with adjudge."""
    from .active import Active
    from .copeland import Copeland
    from .elo import Elo
    from .knockout import Knockout
    from .round_robin import RoundRobin
    from .vote import Vote

    return [RoundRobin, Elo, Copeland, Knockout, Vote, Active]
