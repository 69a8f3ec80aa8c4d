"""Chooses judgements for a person to read, the same ones for the same seed, and cuts their texts at reasoning and answer.

A record's place in the draw is a hash of its id: the choice neither depends on the order in which records were written nor needs
them all in memory. Wrong and undecided judgements take turns with right ones, however rare they are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, pairwise, zip_longest
from typing import Any

from adjudge import Outcome, stable_id, tokens_back

from .gather import RunFiles, StageFiles
from .heat import heat

CLASSES = ("wrong", "right", "undecided", "unlabelled")


@dataclass(frozen=True, slots=True)
class ExampleJudgement:
    """One judgement as the report shows it."""

    stage: str
    set: str
    kind: str
    """One of CLASSES."""
    record: Mapping[str, Any]

    @property
    def text(self) -> str:
        return str(self.record["completion"]["text"])

    @property
    def error(self) -> str | None:
        error: str | None = self.record["completion"].get("error")
        return error

    @property
    def tokens(self) -> int:
        made = self.record["completion"]
        return int(made["tokens"]) if "tokens" in made else len(made["token_ids"])

    @property
    def probability(self) -> float | None:
        """Arithmetic mean of the tokens' probabilities, in [0, 1]; None where the engine told none."""
        logprobs = self.record["completion"].get("logprobs")
        return sum(map(math.exp, logprobs)) / len(logprobs) if logprobs else None

    @property
    def answers(self) -> list[tuple[str, bool]]:
        """Both answers as they were shown, each with whether it is the right one."""
        shown, label = self.record.get("shown", []), self.record.get("label")
        right = None if label is None else (label == "second") == (self.record["order"] == "given")
        return [(str(answer), right is not None and index == int(right)) for index, answer in enumerate(shown)]

    @property
    def heat(self) -> list[tuple[str, int | None, float | None]]:
        """The text token by token, each with its level and its probability; nothing where the engine told none."""
        return heat(self.record)

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """The text in pieces, each with what it is: reasoning, answer, or nothing."""
        spans = {name: tuple(span) for name in ("reasoning", "answer") if (span := self.record["verdict"].get(name))}
        cuts = sorted({0, len(self.text), *chain.from_iterable(spans.values())})
        return [(_inside(spans, start), self.text[start:end]) for start, end in pairwise(cuts)]


def _inside(spans: Mapping[str, tuple[int, ...]], position: int) -> str:
    """The span that a position lies in, the answer before the reasoning."""
    return next((name for name in ("answer", "reasoning") if name in spans and spans[name][0] <= position < spans[name][1]), "")


def sample_judgements(run: RunFiles, size: int) -> list[ExampleJudgement]:
    """`size` judgements from all stages and sets, in stage order; fewer where a run has fewer."""
    seed = run.config.get("seed", 0)
    drawn: dict[str, list[list[ExampleJudgement]]] = {kind: [] for kind in CLASSES}
    for stage in sorted(run.stages, key=lambda stage: stable_id(seed, stage.name)):
        for kind in CLASSES:
            mine = (one for one in _judgements(run, stage) if one.kind == kind)
            drawn[kind].append(heapq.nsmallest(size, mine, key=lambda one: stable_id(seed, one.stage, one.record["id"])))
    by_name = {stage.name: stage for stage in run.stages}
    queues = [list(_take_turns(of_stages)) for of_stages in drawn.values()]
    chosen = [_with_tokens(one, by_name[one.stage]) for one in list(_take_turns(queues))[:size]]
    place = {stage.name: index for index, stage in enumerate(run.stages)}
    return sorted(chosen, key=lambda one: (place[one.stage], run.sets.index(one.set), CLASSES.index(one.kind)))


def _with_tokens(judgement: ExampleJudgement, stage: StageFiles) -> ExampleJudgement:
    return replace(judgement, record=tokens_back(stage.record_file(f"evaluation-{judgement.set}"))(judgement.record))


def _judgements(run: RunFiles, stage: StageFiles) -> Iterator[ExampleJudgement]:
    for name in run.sets:
        for record in stage.records(f"evaluation-{name}"):
            yield ExampleJudgement(stage.name, name, kind_of(record), record)


def kind_of(record: Mapping[str, Any]) -> str:
    """One of CLASSES; without a label nothing is known to be right."""
    if not Outcome(record["outcome"]).decided:
        return "undecided"
    return {True: "right", False: "wrong", None: "unlabelled"}[record.get("right")]


def _take_turns(queues: Iterable[Iterable[ExampleJudgement]]) -> Iterator[ExampleJudgement]:
    """The first of every queue, then the second of every queue, and so on."""
    return (one for turn in zip_longest(*queues) for one in turn if one is not None)
