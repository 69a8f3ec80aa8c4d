"""Probes of the verdicts themselves: what they come to, and how often they are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from adjudge import Outcome, Probe, Problem, ReasoningPath, outcome_rates
from adjudge_figures import Unit, cohen_kappa, judged_unit

from .units import labelled_pairs, mean_of, metric


class Outcomes(Probe):
    """The share of every outcome, failed calls included, and of verdicts that a `thinking_budget` forced, where there are some."""

    use: Literal["outcomes"] = "outcomes"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """For every outcome, the mean over problems of its share of the problem's judgements."""
        of: dict[str, list[Outcome]] = {}
        forced: dict[str, int] = {}
        for path in paths:
            of.setdefault(path.problem_id, []).append(path.outcome)
            forced[path.problem_id] = forced.get(path.problem_id, 0) + bool(path.verdict.told.get("forced"))
        rates = [outcome_rates(outcomes) for outcomes in of.values()]
        found = {outcome.value: metric([rate[outcome.value] for rate in rates]) for outcome in Outcome}
        return {**found, **({"forced": metric([forced[name] / len(of[name]) for name in of])} if any(forced.values()) else {})}


class Accuracy(Probe):
    """How often the judge names the label, by where the right answer is shown."""

    use: Literal["accuracy"] = "accuracy"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """All judgements; those that show the right answer first, or second; and both orders of a problem's first sample right."""
        split: dict[bool, list[float]] = {True: [], False: []}
        rights: list[float] = []
        both: list[float] = []
        units = Counter[Unit]()
        for pair in labelled_pairs(problems, paths):
            rights.append(mean_of(pair.rights()))
            units.update(judged_unit(pair.problem, pair.paths))
            if sample := pair.both_orders:
                both.append(float(all(path.right(pair.problem) for path in sample)))
            for order in ("given", "swapped"):
                if in_order := pair.rights(order):
                    split[(pair.problem.label == 0) == (order == "given")].append(mean_of(in_order))
        return {
            "all": metric(rights),
            "kappa": cohen_kappa(units),
            "right_shown_first": metric(split[True]),
            "right_shown_second": metric(split[False]),
            "both_orders": metric(both),
        }
