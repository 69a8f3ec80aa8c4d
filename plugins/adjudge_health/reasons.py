"""Probes of what stands behind verdicts: sound reasoning, preferences without circles, and a share of wins without the judge's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Probe, Problem, ReasoningPath, RewardRule
from adjudge_figures import Slice, SpuriousCorrectness, components, cyclic_triples, ppi, rogan_gladen

from .meta_judge import prepared
from .units import JudgedPair, judged_pairs, labelled_pairs, mean_of, metric


class Reasoning(Probe):
    """How often a right verdict rests on unsound reasoning, by a rule that can tell; nothing of a judge that never reasons."""

    use: Literal["reasoning"] = "reasoning"
    by: Annotated[RewardRule, Field(default_factory=lambda: SpuriousCorrectness().by)]
    """The rule that says how sound a path is; without one that applies to the data there are no figures."""
    least: float = 1.0
    """The reward of `by` from which on reasoning is sound."""

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """S-Corr: of a problem's right verdicts those that are unsound; and of all its judgements those that are right and sound."""
        rule = SpuriousCorrectness(by=self.by, least=self.least)
        spurious, faithful, reasons = list[float](), list[float](), list[bool]()
        pairs = list(labelled_pairs(problems, paths)) if hasattr(self.by, "prepare") else labelled_pairs(problems, paths)
        if isinstance(pairs, list):  # all at once, for it asks a model
            prepared(self.by, [(pair.problem, path) for pair in pairs for path in pair.paths])
        unknown = list[float]()
        for pair in pairs:
            reasons += (has_reasoning(path) for path in pair.paths if path.outcome.decided)  # a call that failed shows nothing of it
            said = [rule.reward(pair.problem, path) for path in pair.paths]
            known = [one for one in said if one is not None]
            if known:
                spurious.append(mean_of(known))
            if known or any(self.by.reward(pair.problem, path) is not None for path in pair.paths):
                faithful.append(mean_of(float(one == 0.0) for one in said))
            if right := [one for one, path in zip(said, pair.paths, strict=True) if path.right(pair.problem)]:
                unknown.append(mean_of(float(one is None) for one in right))
        silent = bool(reasons) and not any(reasons)
        found = {"s_corr": metric([] if silent else spurious), "right_and_sound": metric([] if silent else faithful)}
        return {**found, "not_told": metric(unknown)} if isinstance(pairs, list) else found


def has_reasoning(path: ReasoningPath) -> bool:
    """Whether there is a word of reasoning in front of the verdict; of a text without one nobody knows."""
    span = path.verdict.reasoning
    return span is None or bool(path.completion.text[slice(*span)].strip())


class Transitivity(Probe):
    """Whether the preferences among several answers to one prompt go round in circles, and whether they hang together."""

    use: Literal["transitivity"] = "transitivity"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """Of each prompt with three answers or more: its circular triples, and whether comparisons connect all of its answers."""
        prompts: dict[str, list[JudgedPair]] = {}
        for pair in judged_pairs(problems, paths):
            prompts.setdefault(pair.problem.prompt, []).append(pair)
        circular, connected = list[float](), list[float]()
        for pairs in prompts.values():
            edges = [(pair.problem.answers[0], pair.problem.answers[1]) for pair in pairs]
            if len({answer for edge in edges for answer in edge}) < 3:
                continue
            liked = {edge: pair.preference for edge, pair in zip(edges, pairs, strict=True)}
            circles, triples = cyclic_triples({edge: worth for edge, worth in liked.items() if worth is not None})
            if triples:
                circular.append(circles / triples)
            connected.append(float(len(components(edges)) == 1))
        return {"circular_triples": metric(circular), "connected": metric(connected)}


class Corrected(Probe):
    """How often the first answer is better: as the judge says, and without its errors, where some pairs have labels and others none."""

    use: Literal["corrected"] = "corrected"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """Of the pairs without a label, corrected by those that have one."""
        judged = judged_pairs(problems, paths)
        known = [(pair.problem.label, liked > 0.5) for pair in judged if (liked := pair.preference) is not None and liked != 0.5]
        said = [float(first) for label, first in known if label is None]
        labelled = [(float(first), float(label == 0)) for label, first in known if label is not None]
        if not said or not labelled:
            return {"as_judged": metric([])}
        by = Slice([one for one, _ in labelled], [truth for _, truth in labelled])
        return {"as_judged": metric(said), "rogan_gladen": rogan_gladen(said, by), "ppi": ppi(said, by)}
