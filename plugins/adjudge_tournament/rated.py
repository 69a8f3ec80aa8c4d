"""What a tie says in schemes that rate all results together: half a win each way, or an outcome of its own by Davidson's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from adjudge import Aggregator

from .ratings import Ratings, Result, bradley_terry
from .soft import SoftAggregator, is_soft
from .ties import davidson


class RatedAggregator(SoftAggregator):
    """The base of schemes whose ratings come from one fit of all results."""

    later: ClassVar[frozenset[str]] = SoftAggregator.later | {"ties"}
    ties: Literal["half-wins", "davidson"] | None = None
    """A tie is half a win each way, or an outcome of its own by Davidson's model; None = the second where `soft`."""

    def rate(self, size: int, results: Sequence[Result], *, prior: float | None) -> Ratings:
        """Skills given these results; `prior` as `bradley_terry` takes it."""
        return (davidson if keeps_ties(self) else bradley_terry)(size, results, prior=prior)


def keeps_ties(scheme: Aggregator) -> bool:
    """Whether a scheme takes ties for an outcome of their own: it says so in ``ties``, or says nothing and is soft."""
    ties = getattr(scheme, "ties", None)
    return ties == "davidson" or (ties is None and is_soft(scheme))
