"""Puts what a run was expected to take, in ``plan.json`` since before its first call, beside what it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adjudge import duration
from adjudge_plan import Part, Plan

from .gather import RunFiles, StageFiles
from .wording import number


@dataclass(frozen=True)
class Taken:
    """What a stage took, as far as its records tell; None = they do not."""

    judgements: int
    steps: int
    tokens: int | None
    seconds: float | None


def compared(run: RunFiles) -> list[tuple[str, list[tuple[str, str]]]]:
    """Of every stage with records: its name, and for judgements, steps, tokens and time what was planned and what it took."""
    if run.plan is None:
        return []
    plan = Plan.from_json(run.plan)
    return [(stage.name, list(_cells(plan.of_stage(stage.name), taken))) for stage in run.stages if (taken := _taken(stage)).judgements]


def _cells(plan: Plan, taken: Taken) -> Iterator[tuple[str, str]]:
    part = Part("", "") if plan.unknown else plan.total
    yield _range(part.judgements), number(taken.judgements)
    yield _range(part.steps), number(taken.steps)
    yield _likely(part.likely_tokens, part.most_tokens, number), number(taken.tokens)
    yield _likely(part.likely_seconds, part.most_seconds, duration), "–" if taken.seconds is None else duration(taken.seconds)


def _range(bounds: tuple[int, int] | None) -> str:
    if bounds is None:
        return "unknown"
    return " to ".join(number(bound) for bound in dict.fromkeys(bounds))


def _likely(likely: float | None, most: float | None, show: Any) -> str:
    if most is None:
        return "unknown"
    return f"at most {show(most)}" if likely is None else f"{show(likely)}, at most {show(most)}"


def _taken(stage: StageFiles) -> Taken:
    judgements, tokens = 0, 0
    known = True
    for row in (row for name in stage.record_files() for row in stage.records(name) if "outcome" in row):
        count, judgements = _tokens(row), judgements + 1
        known, tokens = known and count is not None, tokens + (count or 0)
    seconds = stage.result["seconds"] if stage.result else None
    return Taken(judgements, sum(1 for _ in stage.records("steps")), tokens if known else None, seconds)


def _tokens(row: Mapping[str, Any]) -> int | None:
    """Tokens of a judgement; None for a text that came without."""
    completion = row.get("completion")
    if completion is None:
        return row.get("tokens")
    count = completion["tokens"] if "tokens" in completion else len(completion["token_ids"])
    return None if completion["text"] and not count else count
