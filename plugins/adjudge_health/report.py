"""The report on a judge's health: one part from every installed probe, each with n and a 95% interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjudge import Judge, JudgeRequest, Metrics, Outcome, PluginError, Probe, Problem, ReasoningPath, boundary, mean_tokens
from adjudge_judges import tokens_spent

from .attacks import Attack
from .findings import findings

ORDER = (
    "outcomes", "accuracy", "position", "leans", "length", "votes", "agreement", "reasoning", "transitivity", "corrected",
    "openers", "markup", "without",
)  # fmt: skip
"""Parts in the order in which they stand first, those of attacks among themselves."""
TAKEN = ("model", "judge", "data", "seed", "replay", "unmatched_records", "problems", "judgements", "mean_tokens", "probes", "findings")
"""Other keys of a report, by which no probe can be called."""


def requests_of(probes: Sequence[Probe], problems: Sequence[Problem], judge: Judge, seed: int) -> dict[str, list[JudgeRequest]]:
    """What every probe wants judged besides the pairs as they are."""
    found = {}
    for probe in probes:
        with boundary(probe, "requests"):
            found[probe.use] = list(probe.requests(problems, judge, seed))
    return found


def report_on(
    problems: Sequence[Problem],
    paths: Sequence[ReasoningPath],
    probes: Sequence[Probe],
    own: Mapping[str, Sequence[ReasoningPath]] | None = None,
) -> Metrics:
    """The report on these judgements of the pairs as they are, and on those that probes asked for, by probe.

    A part for which there is nothing has figures of None over n = 0; attacks that nobody asked for are None together.
    """
    counts = (tokens_spent(path) for path in paths if path.outcome != Outcome.FAILED)
    parts: Metrics = {}
    attacks: Metrics = {}
    asked_for = own or {}
    attacked = any(asked_for.get(probe.use) for probe in probes if isinstance(probe, Attack))
    for probe in probes:
        if isinstance(probe, Attack) and not attacked:
            continue
        with boundary(probe, "report"):
            part = dict(probe.report(problems, paths, asked_for.get(probe.use, [])))
        if isinstance(probe, Attack):
            attacks |= part
        else:
            parts[_free(probe)] = part
    counted = {"problems": len(problems), "judgements": len(paths), "mean_tokens": mean_tokens(counts)}
    report = {**counted, **_ordered(parts), "probes": _ordered(attacks) or None}
    return {"findings": findings(report), **report}


def _ordered(parts: Metrics) -> Metrics:
    return {name: parts[name] for name in (*ORDER, *sorted(parts.keys() - {*ORDER})) if name in parts}


def _free(probe: Probe) -> str:
    if probe.use in TAKEN:
        raise PluginError(
            f"the probe {probe.use!r} ({type(probe).__module__}.{type(probe).__qualname__}) has the name of something else in the report.\n"
            "  Remedy: give it another name."
        )
    return probe.use
