"""A probe of position: what the order in which a pair is shown does to its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from adjudge import Outcome, Probe, Problem, ReasoningPath, agree

from .units import judged_pairs, metric

POSITIONS = ("consistent", "always_first", "always_second", "one_tie", "undecided")


class Position(Probe):
    """What becomes of a verdict when the two answers change places."""

    use: Literal["position"] = "position"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """What became of a problem's first sample when the order was turned round; `flipped` = always the same place."""
        kinds = [_turned_round(*sample) for pair in judged_pairs(problems, paths) if (sample := pair.both_orders)]
        found = {kind: metric([float(one == kind) for one in kinds]) for kind in POSITIONS}
        return {**found, "flipped": metric([float(one.startswith("always")) for one in kinds])}


def _turned_round(given: ReasoningPath, swapped: ReasoningPath) -> str:
    outcomes = (given.outcome, swapped.outcome)
    if agree(outcomes):
        return "consistent"
    if not all(outcome.decided for outcome in outcomes):
        return "undecided"
    if Outcome.TIE in outcomes:
        return "one_tie"
    return "always_first" if given.verdict.outcome == Outcome.FIRST else "always_second"
