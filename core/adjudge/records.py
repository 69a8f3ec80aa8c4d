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
    """The call did not come back; `Path.error` says why."""

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
class Sampling:
    """What sampling holds in a device's memory, in counts of which a model's size makes bytes."""

    tokens: int
    """Tokens, prompts included, whose keys and values are held at once."""
    weight_bytes: float | None = None
    """Bytes of a weight; None = as stored, or in half precision where the engine prefers that."""
    spread: int = 1
    """Devices that every layer is spread over."""
    share: float = 1.0
    """Share of a device's memory that it may take."""
    sleeps: bool = False
    """Whether it gives that share back while others work."""
    own_limit: bool = False
    """Whether one sequence as long as the model allows has to have room, as in vLLM where it is given no shorter one."""
    copies: int = 1
    """Copies of the model, each on devices of its own."""


@dataclass(frozen=True, slots=True)
class Training:
    """What training holds in a device's memory, in counts of which a model's size makes bytes."""

    step: int
    """Sequences in an optimiser step, on all devices together."""
    sequences: tuple[int, int] | None
    """Sequences that are trained on in all steps, as (least, most); None = unknown."""
    rows: int | None = None
    """Sequences in a forward and backward pass on one device; None = all that a device has of a step."""
    weight_bytes: float = 4.0
    """Bytes of a weight as the trainer loads it."""
    rank: int = 0
    """Rank of a LoRA adapter, which alone is trained; 0 = all weights are."""
    targets: tuple[str, ...] = ()
    """Linear layers that the adapter goes to, by their names; none = all of a decoder layer."""
    reference: bool = False
    """Whether a second model is held to measure the distance from."""
    passes: int = 0
    """Passes over every sequence before its step, without a backward pass: the reference's, and that for the log-probabilities so far."""
    checkpointing: bool = False
    """Whether activations are made again in the backward pass."""
    moment_bytes: float | None = None
    """Bytes of one of AdamW's two moments of a weight; None = as many as the weight has that is trained."""
    saved_bytes: float | None = None
    """Bytes of a weight of the trained model as it is stored; None = as many as before the training."""
    spread: Literal["nothing", "states", "everything"] = "nothing"
    """What is spread over all devices: nothing, gradients and the optimiser's moments, or the weights too."""
    replicas: int = 1
    """Groups of devices each of which holds all that is spread, as machines do under FSDP's HYBRID_SHARD."""
    defers: bool = False
    """Whether gradients of micro-batches are summed whole on every device, and spread after a step's last, as FSDP does unless told."""
    offload: bool = False
    """Whether weights, gradients and moments are in the host's memory, and on the device only those of the layers at work."""
    uncounted: tuple[str, ...] = ()
    """Options that change what is held in a way that nobody counts, in words; memory is then neither refused nor promised."""
    rollouts: Sampling | Literal["none", "model", "elsewhere"] = "none"
    """Who samples what is trained on: nobody, the model in training, an engine beside it, or one on other devices."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a piece of work will take, each as (least, most); None = unknown, which is never 0."""

    judgements: tuple[int, int] | None = None
    """Completions to be sampled."""
    steps: tuple[int, int] | None = None
    """Optimiser steps."""
    training: Training | None = None
    """What its training holds in a device's memory; None = it does not train, or does not say."""


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
