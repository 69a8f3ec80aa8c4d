"""What a tournament may spend: matches, or tokens, never exceeded and checked before they are spent."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from adjudge import ConfigError, Judge, Options, ReasoningPath
from adjudge_judges import tokens_at_most, tokens_spent


class Budget(Options):
    """What one group may spend; without a limit, whatever its scheme asks for. A plain number is a number of matches."""

    matches: Annotated[int, Field(ge=1)] | None = None
    """Matches that are judged; None = no limit."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens that the judge writes, prompts not counted; None = no limit."""

    @model_validator(mode="before")
    @classmethod
    def _number_of_matches(cls, data: Any) -> Any:
        if isinstance(data, int) and not isinstance(data, bool):
            return {"matches": data}
        if not isinstance(data, dict | Budget):
            raise ValueError("write a number of matches, or a mapping, for example {tokens: 20000}")
        return data


StopReason = Literal["matches", "tokens"]
"""Which limit of a budget ended a tournament."""


class BudgetTracker:
    """One group's budget as it is spent.

    What a judgement will cost is known only afterwards, so a vote is paid for in advance with the most that it may take,
    and what it did not use comes back. A budget is thus never exceeded, and at most one vote's worth of it is left."""

    def __init__(self, budget: Budget, judge: Judge) -> None:
        self.matches, self.tokens = budget.matches, budget.tokens
        self.vote = tokens_at_most(judge) * (2 if judge.order == "both" else 1)
        """The most tokens that one vote takes."""
        if self.tokens is not None and self.tokens < self.vote:
            raise ConfigError(
                f"budget.tokens: {self.tokens} is less than the {self.vote} tokens that one vote may take.\n"
                "  Remedy: raise budget.tokens, or lower judge.max_new_tokens or its thinking_budget."
            )

    def takes_match(self) -> bool:
        """Take one match if there is one left."""
        left = self.matches != 0
        self.matches = None if self.matches is None else max(0, self.matches - 1)
        return left

    def reserve(self, votes: int) -> int:
        """Pay for as many of these votes as can be afforded, and say how many."""
        if self.tokens is None:
            return votes
        votes = min(votes, max(0, self.tokens // self.vote))
        self.tokens -= votes * self.vote
        return votes

    def settle(self, votes: int, paths: Iterable[ReasoningPath]) -> None:
        """Get back what these votes did not use."""
        if self.tokens is not None:
            self.tokens += votes * self.vote - sum(map(_cost, paths))


def _cost(path: ReasoningPath) -> int:
    if path.completion.text and not path.completion.token_ids:
        raise ConfigError(
            "budget.tokens: the engine returns texts without their tokens, so nobody knows what they cost.\n"
            "  Remedy: limit matches instead, for example budget: {matches: 40}."
        )
    return tokens_spent(path)
