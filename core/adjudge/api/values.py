"""The values that flow between components, frozen and made of plain JSON types, and ids and seeds that depend on their inputs alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
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
Interval: TypeAlias = tuple[float, float]
"""Lower and upper end of a 95% interval."""
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
    """The call did not come back; `ReasoningPath.error` says why."""

    @property
    def decided(self) -> bool:
        return self in (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)

    @property
    def mirrored(self) -> Outcome:
        """The same outcome seen from the swapped order."""
        return {Outcome.FIRST: Outcome.SECOND, Outcome.SECOND: Outcome.FIRST}.get(self, self)

    @property
    def points(self) -> float:
        """What the first slot gets of a match's one point, the second slot getting the rest. Raises `ValueError` for a failure."""
        if not self.decided:
            raise ValueError(f"{self} is no result of a match: leave it out or make it a draw")
        return {Outcome.FIRST: 1.0, Outcome.SECOND: 0.0}.get(self, 0.5)


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

    def shown(self, order: Order) -> dict[str, Json]:
        """What a judge is shown of a pair in this order, and the right outcome in the pair's own order, for records."""
        label = {0: "first", 1: "second", None: None}.get(self.label)
        return {"prompt": self.prompt, "shown": list(self.answers)[:: 1 if order == "given" else -1], "label": label}

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
    probability: float | None = None
    """Of *first*, in [0, 1], where the judge tells how sure it is; None = it does not."""
    told: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """What else is known of how it was made, such as ``forced`` and ``decided_by``; ``tokens`` where it took others than its text's."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled text as an engine returns it."""

    text: str
    token_ids: tuple[int, ...] = ()
    token_ends: tuple[int, ...] = ()
    """Where in `text` each token ends, -1 for one that writes nothing, so that nothing sampled is tokenised again; ``ends`` in records."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token at temperature 1, in nats; None when the engine cannot tell."""
    truncated: bool = False
    error: str | None = None
    """Why the call did not come back; None when it did."""
    opened: str = ""
    """What the chat template wrote right before the text, where it began the judge's thinking, such as ``<think>``."""
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)
    """Further numbers by name, one for each token, such as ``entropy``; an engine's `statistics` says which it can tell."""

    def tokens_in(self, span: Span | None) -> list[int]:
        """Indices of the tokens whose last character lies in a span of the text."""
        start, stop = span or (0, 0)
        return [index for index, end in enumerate(self.token_ends) if start < end <= stop]


@dataclass(frozen=True, slots=True)
class ReasoningPath:
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

    @property
    def reasoning_logprobs(self) -> tuple[float, ...] | None:
        """Log-probabilities, in nats, of the tokens that reason; none without a verdict; None where the engine told none."""
        return self._logprobs_in(self.verdict.reasoning)

    @property
    def answer_logprobs(self) -> tuple[float, ...] | None:
        """Log-probabilities, in nats, of the tokens that state the verdict; none without one; None where the engine told none."""
        return self._logprobs_in(self.verdict.answer)

    def _logprobs_in(self, span: Span | None) -> tuple[float, ...] | None:
        known = self.completion.logprobs
        return None if known is None else tuple(known[index] for index in self.completion.tokens_in(span))

    def right(self, problem: Problem) -> bool | None:
        """Whether the verdict is the label. None without a label or for a failed call; False for what is unreadable or truncated."""
        if problem.label is None or self.outcome == Outcome.FAILED:
            return None
        return self.outcome == (Outcome.FIRST, Outcome.SECOND)[problem.label]


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One judgement to be made."""

    id: str
    seed: int
    problem: Problem
    order: Order
    index: int
    """Which of the samples of this problem and order, from 0."""


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
    intervals: tuple[Interval, ...] | None = None
    """A 95% interval for each rating, in candidate order; None where the aggregator has none."""

    @classmethod
    def best_first(cls, ratings: Sequence[float], rng: random.Random, intervals: Sequence[Interval] | None = None) -> Ranking:
        """Ordered by rating; equal ratings in an order that `rng` draws, so that no candidate gains by standing first in the list."""
        order = rng.sample(range(len(ratings)), len(ratings))
        best_first = tuple(sorted(order, key=lambda candidate: -ratings[candidate]))
        return cls(best_first, tuple(ratings), None if intervals is None else tuple(intervals))


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage trainer leaves behind."""

    model: FilePath
    """Folder with weights, tokenizer and ``judge.json``."""
    metrics: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """What a piece of work will take, each as (least, most); None = unknown, which is never 0."""

    judgements: tuple[int, int] | None = None
    """Completions to be sampled."""
    steps: tuple[int, int] | None = None
    """Optimiser steps."""
    training: Any = None
    """What its training holds in a device's memory, an `adjudge_plan.Training`; None = it does not train, or does not say."""


def stable_id(*parts: Json) -> str:
    """16 hexadecimal digits that depend on the parts alone: the id of whatever was made from exactly these inputs."""
    import hashlib

    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:16]


def stable_seed(*parts: Json) -> int:
    """A 63-bit seed that depends on the parts alone."""
    return int(stable_id(*parts), 16) >> 1


def coin(*parts: Json | random.Random) -> bool:
    """A fair coin: which answer is shown first, on which side a right one stands. From the parts alone, or a generator's next draw."""
    return parts[0].random() < 0.5 if isinstance(parts[0], random.Random) else stable_seed(*parts) % 2 == 1


@dataclass(frozen=True, slots=True)
class Command:
    """A name, a function whose annotated arguments typer makes options of, and an example that its ``--help`` ends with."""

    name: str
    function: Callable[..., Any]
    example: str = ""
