"""The values that flow between components: frozen, slotted, made of plain JSON types, and identified by what they were made from."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any
"""Anything that `json.dumps` takes."""
Message: TypeAlias = dict[str, str]
"""One chat turn: ``role`` and ``content``."""
Span: TypeAlias = tuple[int, int]
"""Half-open range of character positions in a completion's text."""
Order: TypeAlias = Literal["given", "swapped"]
"""Whether a judge was shown a pair as it stands in the problem, or the other way round."""


class Outcome(StrEnum):
    """What became of a judgement. The last three are failures of the judge; none of them is ever a score by default."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    UNREADABLE = "unreadable"
    """The judge ended by itself and gave no verdict that its parser can read."""
    TRUNCATED = "truncated"
    """The judge ran into the token limit before it gave a verdict."""
    FAILED = "failed"
    """The call did not come back; `Path.error` says why."""

    @property
    def decided(self) -> bool:
        return self in (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)

    @property
    def mirrored(self) -> Outcome:
        """The same outcome seen from the swapped order."""
        return {Outcome.FIRST: Outcome.SECOND, Outcome.SECOND: Outcome.FIRST}.get(self, self)


@dataclass(frozen=True, slots=True)
class Problem:
    """A prompt with candidate answers, two of them for a pairwise judge."""

    id: str
    prompt: str
    answers: tuple[str, ...]
    label: int | None = None
    """Index of the right (preferred) answer; None when unknown."""
    meta: Mapping[str, Json] = field(default_factory=dict)
    """What the data set knows besides, for example ``{"level": 2}``; JSON values only."""

    def pair(self, first: int, second: int) -> Problem:
        """The two-answer problem that a match between these two candidates is."""
        label = {first: 0, second: 1}.get(-1 if self.label is None else self.label)
        return Problem(f"{self.id}:{first}-{second}", self.prompt, (self.answers[first], self.answers[second]), label, self.meta)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge's parser read from one text."""

    outcome: Outcome
    reasoning: Span | None = None
    """Where the text reasons; None when there is no verdict to reason towards."""
    answer: Span | None = None
    """Where the text states its verdict."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled text as an engine returns it."""

    text: str
    token_ids: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    """For each token, the position in `text` just after its last character; so nothing sampled is ever tokenised again."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token at temperature 1, in nats; None when the engine cannot tell."""
    truncated: bool = False
    error: str | None = None
    """Why the call did not come back; None when it did."""


@dataclass(frozen=True, slots=True)
class Path:
    """One judgement: a completion, how it was asked for, and what was read from it."""

    id: str
    problem_id: str
    order: Order
    index: int
    """Which of the samples of this problem and order, from 0."""
    completion: Completion
    verdict: Verdict
    """As read from the text: *first* is the answer shown first."""

    @property
    def outcome(self) -> Outcome:
        """The outcome in the problem's own order, whichever order the judge was shown."""
        return self.verdict.outcome.mirrored if self.order == "swapped" else self.verdict.outcome

    def right(self, problem: Problem) -> bool | None:
        """Whether the verdict is the label: None without a label, and False for every undecided outcome."""
        if problem.label is None:
            return None
        return self.outcome == (Outcome.FIRST, Outcome.SECOND)[problem.label]


@dataclass(frozen=True, slots=True)
class Score:
    """A path's score with the parts it was made from."""

    path_id: str
    value: float | None
    """Higher is better; None when the scorer does not apply to this path, which then ranks below every number."""
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Two candidates, by index, that an aggregator wants compared."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The end of a tournament."""

    order: tuple[int, ...]
    """All candidates by index, best first."""
    ratings: tuple[float, ...]
    """One per candidate, in candidate order, on the aggregator's own scale; higher is better."""

    @classmethod
    def best_first(cls, ratings: Sequence[float], rng: random.Random) -> Ranking:
        """Ordered by rating; equal ratings in an order that `rng` draws, so that no candidate gains by standing first in the list."""
        order = rng.sample(range(len(ratings)), len(ratings))
        return cls(tuple(sorted(order, key=lambda candidate: -ratings[candidate])), tuple(ratings))


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage trainer leaves behind."""

    model: FilePath
    """Folder with weights, tokenizer and ``judge.json``."""
    metrics: Mapping[str, Json] = field(default_factory=dict)


def stable_id(*parts: Json) -> str:
    """16 hexadecimal digits that depend on the parts alone: the id of whatever was made from exactly these inputs."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stable_seed(*parts: Json) -> int:
    """A 63-bit seed that depends on the parts alone."""
    return int(stable_id(*parts), 16) >> 1


def held_out(prompt: str, share: float) -> bool:
    """Whether a prompt belongs to the held-out part of this share: by hash, so all rows of a prompt fall on one side."""
    return int(stable_id("held out", prompt), 16) / 16**16 < share
