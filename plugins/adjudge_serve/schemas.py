"""What the routes of ``/v1`` take and give."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """A turn of a conversation."""

    role: str
    content: str


Text = str | Annotated[list[Message], Field(min_length=1)]
"""A text, or the messages of a conversation."""


class Error(BaseModel):
    """Why a request has no answer."""

    kind: str
    message: str


class Failed(BaseModel):
    error: Error


class _Request(BaseModel):
    """A misspelt field is told, and not left out."""

    model_config = ConfigDict(extra="forbid")


class Pair(_Request):
    """Two answers to one prompt."""

    prompt: Text
    answers: Annotated[list[Text], Field(min_length=2, max_length=2)]


class Pairs(_Request):
    pairs: Annotated[list[Pair], Field(min_length=1)]


class Judgement(BaseModel):
    """One judgement of a pair."""

    order: Literal["given", "swapped"]
    outcome: str
    text: str
    """What the judge wrote."""
    tokens: int
    error: str | None = None


class PairOutcome(BaseModel):
    """Which answer is better, in the pair's own order."""

    outcome: Literal["first", "second", "tie", "unreadable", "truncated", "failed"]
    judgements: list[Judgement]


class Outcomes(BaseModel):
    verdicts: list[PairOutcome]


class Answers(_Request):
    """The answers to one prompt."""

    prompt: Text
    answers: Annotated[list[Text], Field(min_length=2)]


class Ranked(BaseModel):
    order: list[int]
    """Places of the answers in the request, the best first."""
    ratings: list[float]
    """In the order of the request."""
    rewards: list[float | None]
    """In the order of the request; null = undecided."""
    matches: int
    tokens: int
    stopped: str | None = None
    """The budget that ended it early."""


class RewardRequest(_Request):
    """Completions, each with its prompt."""

    prompts: list[Text]
    completions: list[Text]
    groups: list[str | int] | None = None
    """Each completion's group; without, completions that follow each other under one prompt are one."""
    anchors: list[str | list[str] | None] | None = None
    """Reference answers for each."""


class Sample(BaseModel):
    """What one completion is worth."""

    value: float | None
    """Within its group; null = undecided."""
    absolute: float | None
    """Share of points against the anchors, in [0, 1]."""
    reason: str
    """Why it is undecided."""
    tokens: float
    """Its share of the judge's tokens in its group."""
    seconds: float
    """Its share of the seconds of this request."""


class Rewards(BaseModel):
    rewards: list[Sample]
    metrics: dict[str, float]
    """What the request took."""


class Status(BaseModel):
    status: str
