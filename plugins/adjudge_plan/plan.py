"""Says before the first call what a run or a call will take: judgements, optimiser steps, tokens and, at given rates, time and cost.

Numbers of judgements are (least, most); tokens that a judge writes are known only as *most*, every judgement running into its limit,
and as *likely* where earlier judgements have been measured. None is unknown, and never 0. Docs: decisions/0012.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path as FilePath
from typing import Annotated, Any, Self, TypeAlias

from pydantic import Field, model_validator

from adjudge import (
    Engine,
    Json,
    Judge,
    Message,
    Options,
    PluginError,
    Plugins,
    Problem,
    RunInfo,
    StageTrainer,
    Work,
    boundary,
    count_requests,
    validate,
    write_json,
)
from adjudge_judges import longest_judgement, tokens_at_most

log = logging.getLogger("adjudge.plan")
Range: TypeAlias = tuple[int, int]
"""Least and most."""
Problems: TypeAlias = Sequence[Problem] | None
"""None where they are not here, and their number is unknown."""
RANGES = ("judgements", "steps", "matches", "input_tokens")
AMOUNTS = ("likely_tokens", "most_tokens", "likely_seconds", "most_seconds", "likely_cost", "most_cost")
"""Fields of a `Part` that add up, as least and most and as plain numbers."""
STAND_INS = (1, 100_003)
"""Numbers of problems that are planned for where it is unknown: so far apart that no batch holds both, and the second no multiple."""
COUNTED = 2000
"""Problems, evenly spaced, whose prompts are counted for the mean of a larger set."""


class Rates(Options):
    """What turns tokens into time and money."""

    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    """Tokens written in a second, all judgements together; None = unknown."""
    price_in: Annotated[float, Field(ge=0)] | None = None
    """Price of a million tokens of prompts, in any currency; None = unknown."""
    price_out: Annotated[float, Field(ge=0)] | None = None
    """Price of a million tokens that the judge writes, in the same currency; None = unknown."""

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out belong together; give both, 0 for what costs nothing")
        return self


def rates(tokens_per_second: float | None = None, price_in: float | None = None, price_out: float | None = None) -> Rates:
    """The rates of a call; raises `ConfigError` for what cannot be."""
    given = {"tokens_per_second": tokens_per_second, "price_in": price_in, "price_out": price_out}
    return validate(Rates, given, Plugins(), "the call")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a plan: a stage's training, one of its evaluations, a ranking."""

    stage: str
    what: str
    judgements: Range | None = None
    steps: Range | None = None
    """Optimiser steps."""
    matches: Range | None = None
    """Of a ranking; None where there are none."""
    input_tokens: Range | None = None
    """Tokens of the prompts, those of a prompt that is asked again counted again."""
    likely_tokens: int | None = None
    """Tokens that the judge writes if it goes on as measured, in the middle between least and most judgements."""
    most_tokens: int | None = None
    """Tokens that the judge writes if every judgement runs into its limit."""
    likely_seconds: float | None = None
    """Time to write the tokens; optimiser steps and loading come on top."""
    most_seconds: float | None = None
    likely_cost: float | None = None
    most_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All parts, and their sum."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> Part:
        """The sum of what is known."""
        sums: dict[str, Any] = {name: _both_added(self._known(name)) for name in RANGES}
        sums |= {name: sum(known) if (known := self._known(name)) else None for name in AMOUNTS}
        return Part("total", "", **sums)

    def _known(self, name: str) -> list[Any]:
        return [value for part in self.parts if (value := getattr(part, name)) is not None]

    @property
    def unknown(self) -> list[str]:
        """Parts that do not say how many judgements they take, and which the total therefore lacks."""
        return [f"{part.stage} {part.what}" for part in self.parts if part.judgements is None]

    def of_stage(self, name: str) -> Plan:
        """The parts of one stage."""
        return Plan(tuple(part for part in self.parts if part.stage == name))

    def to_json(self) -> dict[str, Json]:
        return {"parts": [asdict(part) for part in self.parts], "total": asdict(self.total), "unknown": self.unknown}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """The plan that `to_json` wrote."""
        return cls(tuple(Part(**{**part, **{name: part[name] and tuple(part[name]) for name in RANGES}}) for part in data["parts"]))


def _both_added(ranges: Sequence[Range]) -> Range | None:
    return (sum(least for least, _ in ranges), sum(most for _, most in ranges)) if ranges else None


def with_tokens(part: Part, judge: Judge, prompt: float | None, measured: float | None, *, training: bool = False) -> Part:
    """The part with its tokens, from the mean tokens of a prompt and of an earlier judgement; rollouts of a training know no budget."""
    if part.judgements is None:
        return part
    least, most = part.judgements
    longest = max(judge.max_new_tokens, tokens_at_most(judge)) if training else tokens_at_most(judge)
    return replace(
        part,
        input_tokens=None if prompt is None else (round(least * prompt), round(most * prompt)),
        likely_tokens=None if measured is None else round((least + most) / 2 * measured),
        most_tokens=most * longest,
    )


def priced(part: Part, rates: Rates) -> Part:
    """The part with the time and the cost of its tokens."""
    middle, most = (None, None) if part.input_tokens is None else (sum(part.input_tokens) / 2, part.input_tokens[1])
    return replace(
        part,
        likely_seconds=_seconds(part.likely_tokens, rates),
        most_seconds=_seconds(part.most_tokens, rates),
        likely_cost=_cost(middle, part.likely_tokens, rates),
        most_cost=_cost(most, part.most_tokens, rates),
    )


def _seconds(written: int | None, rates: Rates) -> float | None:
    return None if written is None or rates.tokens_per_second is None else written / rates.tokens_per_second


def _cost(read: float | None, written: int | None, rates: Rates) -> float | None:
    if read is None or written is None or rates.price_in is None or rates.price_out is None:
        return None
    return (read * rates.price_in + written * rates.price_out) / 1e6


def prompt_tokens(engine: Engine, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
    """Tokens of each prompt; None where the engine cannot tell."""
    with boundary(engine, "count_tokens"):
        counts = engine.count_tokens(model, prompts)
    if counts is not None and len(counts) != len(prompts):
        raise PluginError(
            f"engine {engine.use!r} returned {len(counts)} numbers from count_tokens() for {len(prompts)} prompts.\n"
            "  Remedy: return one for each, or None."
        )
    return counts


def prompt_counts(problems: Sequence[Problem], judge: Judge, engine: Engine, model: FilePath) -> list[int] | None:
    """Tokens of the prompts, as they are sent, about these problems or an evenly spaced part, in every order that they may be shown in."""
    some = problems[:: max(1, len(problems) // COUNTED)]
    with boundary(judge, "prompt"):
        prompts = [judge.render(problem, "given") for problem in some]
        prompts += [judge.render(problem, "swapped") for problem in some if judge.order != "fixed"]
    counts = prompt_tokens(engine, model, prompts)
    if counts and not engine.ignores_model_folder:
        tell_room(counts, judge, model)
    return counts


def tell_room(counts: Sequence[int], judge: Judge, model: FilePath) -> None:
    """Warn where prompts leave no room for a judgement in the model's context, or less than the judge allows."""
    from adjudge_engines import context_length, settings_of

    context = context_length(settings_of(model))
    rooms = [] if context is None else [context - count for count in counts]
    most = longest_judgement(judge)
    without, less = sum(room <= 0 for room in rooms), [room for room in rooms if 0 < room < most]
    if without:
        log.warning(
            "%d of %d prompts that were counted leave no room for a judgement in the model's %d tokens; judge.on_too_long: %s",
            without, len(counts), context, judge.on_too_long,
        )  # fmt: skip
    if less:
        log.warning(
            "%d of %d prompts that were counted leave less room than the %d tokens that a judgement may take, in the model's %d tokens:"
            " %d tokens or more",
            len(less), len(counts), most, context, min(less),
        )  # fmt: skip


def mean_prompt(problems: Sequence[Problem], judge: Judge, engine: Engine, model: FilePath) -> float | None:
    """Mean tokens of a prompt about these problems."""
    counts = prompt_counts(problems, judge, engine, model)
    return sum(counts) / len(counts) if counts else None


def plan_judging(
    problems: Sequence[Problem], judge: Judge, engine: Engine, model: FilePath, *, measured: float | None = None, rates: Rates | None = None
) -> Plan:
    """What judging every one of these problems takes; `measured` is the mean tokens of an earlier judgement."""
    requests = count_requests(len(problems), judge)
    part = with_tokens(Part("judging", "", (requests, requests)), judge, mean_prompt(problems, judge, engine, model), measured)
    return Plan((priced(part, rates or Rates()),))


def plan_run(run: RunInfo, train: Problems, tests: Mapping[str, Problems], rates: Rates | None = None) -> Plan:
    """What a whole run takes: every stage's training, as the trainer tells it, and every evaluation.

    Problems that are None are not here: what depends on how many there are is unknown. So are the prompts of a model that is not here.
    """
    sets = {"": train, **tests}
    here = run.base.exists()
    means = {
        name: mean_prompt(problems, run.judge, run.config.engine, run.base) if here and problems is not None else None
        for name, problems in sets.items()
    }
    measured = mean_measured(run.folder)
    parts = []
    for stage, name, work in _pieces(run, train, tests):
        part = Part(stage, f"evaluation {name}" if name else "training", work.judgements, work.steps)
        parts.append(priced(with_tokens(part, run.judge, means[name], measured, training=not name), rates or Rates()))
    return Plan(tuple(parts))


def write_plan(run: RunInfo) -> None:
    """Write ``plan.json`` unless it is there, so that the estimate is the one made before the first call."""
    file = run.folder / "plan.json"
    if not file.exists():
        write_json(file, plan_run(run, run.problems, run.tests, rates(**run.rates)).to_json())


def stage_names(run: RunInfo) -> list[str]:
    """Every stage's index and trainer, the base judge's first."""
    return ["0-base", *(f"{index}-{trainer.use}" for index, trainer in enumerate(run.config.stages, 1))]


def _pieces(run: RunInfo, train: Problems, tests: Mapping[str, Problems]) -> Iterator[tuple[str, str, Work]]:
    """Stage, evaluation set (none for training), and work."""
    works = works_of(run, train)
    for index, stage in enumerate(stage_names(run)):
        if index:
            yield stage, "", works[index - 1]
        for name, problems in tests.items():
            requests = None if problems is None else count_requests(len(problems), run.judge)
            yield stage, name, Work(None if requests is None else (requests, requests), (0, 0))


def works_of(run: RunInfo, train: Problems) -> list[Work]:
    """The work of every stage's training."""
    if train is not None:
        return [_work(trainer, train, run.judge) for trainer in run.config.stages]
    few, many = ([_work(trainer, stand_ins(count), run.judge) for trainer in run.config.stages] for count in STAND_INS)
    return [_in_common(first, second) for first, second in zip(few, many, strict=True)]


def _work(trainer: StageTrainer, problems: Sequence[Problem], judge: Judge) -> Work:
    with boundary(trainer, "plan"):
        return trainer.plan(problems, judge)


@cache
def stand_ins(count: int) -> tuple[Problem, ...]:
    """Problems of which nothing is known but their number."""
    return tuple(Problem(str(number), "", ("", ""), 0) for number in range(count))


def _in_common(one: Work, two: Work) -> Work:
    """What is planned alike for one problem and for very many, and so does not depend on how many there are."""
    held = None if one.training is None else replace(one.training, sequences=None)
    if one.training == two.training:
        held = one.training
    elif two.training is None or held != replace(two.training, sequences=None):
        held = None
    judgements = one.judgements if one.judgements == two.judgements else None
    return Work(judgements, one.steps if one.steps == two.steps else None, held)


def mean_measured(folder: FilePath) -> float | None:
    """Mean tokens of a judgement in the evaluations of a run folder that are complete; None where there are none."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("stages/*/result.json")]
    found = [one for result in results for one in result["evaluation"].values() if one["mean_tokens"] is not None]
    counts = [one["judgements"] - one.get("failed", 0) for one in found]  # a failed call has no tokens, and is in no mean
    total = sum(one["mean_tokens"] * count for one, count in zip(found, counts, strict=True))
    return total / sum(counts) if sum(counts) else None
