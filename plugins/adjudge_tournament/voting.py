"""When a match has votes enough and what they come to: an early stop that changes no majority, and one that accepts a stated doubt."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import comb
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adjudge import Options, Outcome, ReasoningPath, combine


class Voting(Options):
    """How a judge's votes decide a match; a vote is one judgement, or one in each order where the judge has `order: both`."""

    votes: Annotated[int, Field(ge=1)] = 1
    """Most votes of a match; no more are asked once the majority of all of them can no longer change."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """Also stop once the leader is ahead with this posterior probability; None = never. Easy pairs then cost little, hard ones `votes`."""
    minimum: Annotated[int, Field(ge=1)] = 2
    """Fewest decisive votes after which `confidence` may stop a match."""
    on_unreadable: Literal["retry", "draw", "drop"] = "retry"
    """What a match without one readable vote becomes: played again and in the end a draw, a draw at once, or left out of the ranking."""
    replays: Annotated[int, Field(ge=0)] = 1
    """How often `on_unreadable: retry` plays a match again."""
    same: Literal["tie", "judge"] = "tie"
    """Two answers with the same text: a tie that costs nothing, or a match like any other."""

    @model_validator(mode="after")
    def _confidence_needs_votes(self) -> Self:
        if self.confidence is not None and self.votes == 1:
            raise ValueError("confidence: one vote leaves nothing to stop; raise votes (for example to 9), or leave confidence out")
        return self

    def more(self, cast: Sequence[Outcome]) -> int:
        """How many further votes no course of the match can avoid; 0 when it is settled.

        That is the number after which it would be settled if all of them went to the leader. Asking for them at once therefore
        never asks for a vote that asking one at a time would have saved, and takes the fewest engine calls that can be promised."""
        counts = Counter(cast)
        behind, ahead = sorted((counts[Outcome.FIRST], counts[Outcome.SECOND]))
        left = self.votes - len(cast)
        return next(more for more in range(left + 1) if self._settled(ahead + more, behind, left - more))

    def _settled(self, ahead: int, behind: int, left: int) -> bool:
        if left == 0 or ahead - behind > left:
            return True
        return self.confidence is not None and ahead + behind >= self.minimum and leads(ahead, behind) >= self.confidence


def leads(ahead: int, behind: int) -> float:
    """Probability that more than half of all votes would go to the one with `ahead` of them, given what was cast.

    The chance of such a vote has the posterior Beta(ahead + 1, behind + 1), every chance being as likely as any other before the
    first vote. Its mass above one half is that of at most `ahead` heads in ahead + behind + 1 tosses of a fair coin. This is the
    stopping rule of Adaptive-Consistency (2305.11860). Ties and unreadable votes are evidence for neither side."""
    tosses = ahead + behind + 1
    return sum(comb(tosses, heads) for heads in range(ahead + 1)) / (1 << tosses)


def majority(votes: Iterable[Outcome]) -> Outcome | None:
    """The majority of the votes that decide, a tie where there is none; None when no vote decides."""
    counts = Counter(vote for vote in votes if vote.decided)
    if not counts:
        return None
    first, second = counts[Outcome.FIRST], counts[Outcome.SECOND]
    return Outcome.FIRST if first > second else Outcome.SECOND if second > first else Outcome.TIE


def usual_failure(votes: Iterable[Outcome]) -> Outcome:
    """What most of these votes failed by; the earliest of equals."""
    return Counter(votes).most_common(1)[0][0]


def disagree(vote: Sequence[ReasoningPath]) -> bool:
    """Whether a vote was read in both orders and they say different things."""
    return combine(vote).decided and len({path.outcome for path in vote}) > 1
