"""Paths of one-character tokens with numbers that a test chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from adjudge import Completion, Order, Outcome, PathScorer, Problem, ReasoningPath, Verdict

PROBLEM = Problem("p", "q", ("a", "b"), label=0)


def path_with(
    reasoning: Sequence[float], answer: Sequence[float], ident: str = "p", outcome: Outcome = Outcome.FIRST, order: Order = "given",
    statistics: Mapping[str, Sequence[float]] | None = None,
) -> ReasoningPath:  # fmt: skip
    """Tokens of these probabilities, and an end-of-turn token that must count for nothing, in `statistics` as -99."""
    probabilities = [*reasoning, *answer, 0.001]
    size, split = len(reasoning) + len(answer), len(reasoning)
    told = {name: (*map(float, values), -99.0) for name, values in (statistics or {}).items()}
    completion = Completion(
        "x" * size, tuple(range(size + 1)), (*range(1, size + 1), -1), tuple(map(math.log, probabilities)), statistics=told
    )
    return ReasoningPath(ident, PROBLEM.id, order, 0, completion, Verdict(outcome, (0, split), (split, size)))


def value_of(scorer: PathScorer, path: ReasoningPath, session: Any = None, problem: Problem = PROBLEM) -> float | None:
    [score] = scorer.score(problem, [path], session)
    return score.value
