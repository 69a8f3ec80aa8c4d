"""A benchmark's problems as they are judged: each under an id of its own, and without pairs of equal answers of which one is called better.

Official files hold both: two rows that are the same problem, and pairs of which no judge could say what their label says. Neither is a
reason to refuse a file, and each is counted and told.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adjudge import Outcome, Problem, boundary, unique_ids
from adjudge_data import Spool, spooled

if TYPE_CHECKING:
    from .benchmark import Benchmark

SHOWN = 10
"""Ids that a message names."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The problems of a benchmark."""

    everything: Sequence[Problem]
    """In the order of the data, by which verdicts are known that name no problem."""
    problems: Sequence[Problem]
    """Those that are judged and scored."""
    repeated: int
    """How many have another id than the data give them, because an earlier problem has it."""
    apart: frozenset[str]
    """Those that are left out for an asked pair of equal answers of which one is called better."""

    @property
    def left_out(self) -> int:
        return len(self.apart)


def loaded(benchmark: Benchmark) -> Loaded:
    """All problems of a benchmark; what is unusual about them is told on standard error."""
    with boundary(benchmark, "load"):
        found = spooled(benchmark.everything(), benchmark.source)
    given = [one.id for one in found]
    found.renamed = {place: new for place, (new, old) in enumerate(zip(unique_ids(given), given, strict=True)) if new != old}
    if renamed := [f"{new!r} (problem {place + 1})" for place, new in found.renamed.items()]:
        one = "1 problem repeats an earlier one and has an id of its own"
        many = f"{len(renamed)} problems repeat earlier ones and have ids of their own"
        _tell(f"{benchmark.source}: {one if len(renamed) == 1 else many}: {_some(renamed)}")
    left_out = [one.id for one in found if benchmark.identical == "leave-out" and equal_answers(benchmark, one)]
    if not left_out:
        return Loaded(found, found, len(renamed), frozenset())
    twins = frozenset(left_out)
    _tell(
        f"{benchmark.source}: left out because equal answers are compared and one of them is called better: {len(twins)},"
        f" {_some([*map(repr, left_out)])}\n"
        "  To count these as the authors do: identical: count (--set data.identical=count)"
    )
    return Loaded(found, Spool(one for one in found if one.id not in twins), len(renamed), twins)


def equal_answers(benchmark: Benchmark, problem: Problem) -> bool:
    """Whether an asked pair has the same text twice, and the data say that one of the two is better."""
    answers = problem.answers
    if len(set(answers)) == len(answers):
        return False
    equal = [match for match in benchmark.pairs(problem) if answers[match.first] == answers[match.second]]
    return any(benchmark.better(problem, match) in (Outcome.FIRST, Outcome.SECOND) for match in equal)


def evenly(problems: Sequence[Problem], limit: int | None) -> Sequence[Problem]:
    """At most so many problems, evenly from the whole list, so that every group keeps its share."""
    if limit is None or limit >= len(problems):
        return problems
    by_group = sorted(range(len(problems)), key=lambda place: str(problems[place].meta.get("group", "")))
    return [problems[place] for place in sorted(by_group[index * len(problems) // limit] for index in range(limit))]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
