"""Tournaments: their driver, schemes that turn pairwise verdicts into a ranking, Bradley-Terry ratings, and rewards from rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Aggregator

    from .active import Active
    from .budget import Budget
    from .copeland import Copeland
    from .driver import TournamentResult, play, play_each
    from .elo import Elo
    from .knockout import Knockout
    from .match import MatchResult
    from .pivot import Pivot
    from .ratings import Ratings, bradley_terry
    from .rewards import Reward, as_reward
    from .round_robin import RoundRobin
    from .single_elimination import SingleElimination
    from .soft import SoftAggregator, SoftOutcome
    from .ties import davidson
    from .vote import Vote
    from .voting import Voting, majority

__all__ = [
    "Active", "Budget", "Copeland", "Elo", "Knockout", "MatchResult", "Pivot", "Ratings", "Reward", "RoundRobin", "SingleElimination",
    "SoftAggregator", "SoftOutcome", "TournamentResult", "Vote", "Voting", "as_reward", "bradley_terry", "davidson", "majority", "play",
    "play_each", "register_aggregators",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_aggregators() -> list[type[Aggregator]]:
    """The schemes that ship with adjudge."""
    from .active import Active
    from .copeland import Copeland
    from .elo import Elo
    from .knockout import Knockout
    from .pivot import Pivot
    from .round_robin import RoundRobin
    from .single_elimination import SingleElimination
    from .vote import Vote

    return [RoundRobin, Elo, Copeland, Knockout, Vote, Active, Pivot, SingleElimination]
