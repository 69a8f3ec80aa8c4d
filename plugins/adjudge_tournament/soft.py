"""Matches that count by how sure the judge was, and not by who won them: `soft: true` on a scheme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from adjudge import Aggregator, Outcome, ReasoningPath
from adjudge_judges import probability_of

if TYPE_CHECKING:
    from .match import MatchResult


@dataclass(frozen=True, slots=True)
class SoftOutcome:
    """How a match ended, for a scheme with ``soft: true``: 1 and 0 are *first* and *second*, 1/2 is a tie."""

    points: float
    """What the first slot gets of the match's one point, in [0, 1]: the judge's probability that it is better, half of what is a tie."""
    tie: float = 0.0
    """The share of its votes that say *tie*; a probability of 1/2 is none."""


class SoftAggregator(Aggregator):
    """The base of schemes that can count a match by its points alone, which may be any share of one."""

    later: ClassVar[frozenset[str]] = frozenset({"soft"})
    soft: bool = False
    """Count a match by the judge's probability that its first answer is better, or by its share of votes, and not by who won it."""


def points_of(vote: Iterable[ReasoningPath]) -> float | None:
    """What the first answer gets of one vote, in one order or both; None where one of its judgements decides nothing.

    A judgement that tells no probability counts as it was decided."""
    shares = []
    for path in vote:
        if not path.outcome.decided:
            return None
        known = probability_of(path)
        shares.append(path.outcome.points if known is None else known)
    return mean(shares)


def tied_in(vote: Iterable[ReasoningPath]) -> float:
    """The share of one vote, in one order or both, that says *tie*; one that is more probable for either side is none."""
    said = [float(path.outcome is Outcome.TIE and probability_of(path) in (None, 0.5)) for path in vote]
    return sum(said) / len(said)


def mean(shares: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(shares) / len(shares) if shares else None


def is_soft(scheme: Aggregator) -> bool:
    """Whether a scheme, a third party's too, counts matches by probabilities: it has a true ``soft``."""
    return bool(getattr(scheme, "soft", False))


def sent(played: MatchResult) -> Outcome:
    """What a scheme is sent of a match: its outcome, or for a soft scheme a `SoftOutcome`, which has an outcome's ``points``."""
    return played.outcome if played.probability is None else cast("Outcome", SoftOutcome(played.probability, played.tied))
