"""A benchmark's problems as they are judged: each under an id of its own, and without pairs of equal answers of which one is called better.

Official files hold both: two rows that are the same problem, and pairs of which no judge could say what their label says. Neither is a
reason to refuse a file, and each is counted and told.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adjudge import Outcome, Problem, boundary, not_empty, unique_ids

if TYPE_CHECKING:
    from .benchmark import Benchmark

SHOWN = 10
"""Ids that a message names."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The problems of a benchmark."""

    everything: list[Problem]
    """In the order of the data, by which verdicts are known that name no problem."""
    problems: list[Problem]
    """Those that are judged and scored."""
    repeated: int
    """How many have another id than the data give them, because an earlier problem has it."""
    left_out: int
    """How many are left out for an asked pair of equal answers of which one is called better."""


def loaded(benchmark: Benchmark) -> Loaded:
    """All problems of a benchmark; what is unusual about them is told on standard error."""
    with boundary(benchmark, "load"):
        given = not_empty(benchmark.everything(), benchmark.source)
    found = [replace(one, id=ident) for one, ident in zip(given, unique_ids(one.id for one in given), strict=True)]
    renamed = [f"{new.id!r} (problem {place})" for place, (new, old) in enumerate(zip(found, given, strict=True), 1) if new.id != old.id]
    if renamed:
        one = "1 problem repeats an earlier one and has an id of its own"
        many = f"{len(renamed)} problems repeat earlier ones and have ids of their own"
        _tell(f"{benchmark.source}: {one if len(renamed) == 1 else many}: {_some(renamed)}")
    twins = {one.id for one in found if benchmark.identical == "leave-out" and equal_answers(benchmark, one)}
    if twins:
        named = _some([repr(one.id) for one in found if one.id in twins])
        _tell(
            f"{benchmark.source}: left out because equal answers are compared and one of them is called better: {len(twins)}, {named}\n"
            "  To count these as the authors do: identical: count (--set data.identical=count)"
        )
    return Loaded(found, [one for one in found if one.id not in twins], len(renamed), len(twins))


def equal_answers(benchmark: Benchmark, problem: Problem) -> bool:
    """Whether an asked pair has the same text twice, and the data say that one of the two is better."""
    answers = problem.answers
    if len(set(answers)) == len(answers):
        return False
    equal = [match for match in benchmark.pairs(problem) if answers[match.first] == answers[match.second]]
    return any(benchmark.better(problem, match) in (Outcome.FIRST, Outcome.SECOND) for match in equal)


def evenly(problems: Sequence[Problem], limit: int | None) -> list[Problem]:
    """At most so many problems, evenly from the whole list, so that every group keeps its share."""
    if limit is None or limit >= len(problems):
        return list(problems)
    by_group = sorted(range(len(problems)), key=lambda place: str(problems[place].meta.get("group", "")))
    return [problems[place] for place in sorted(by_group[index * len(problems) // limit] for index in range(limit))]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
