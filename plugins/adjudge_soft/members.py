"""A probe of judges made of judges: how much each of a cascade settles, and how often each of a panel says what the panel says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from adjudge import Outcome, Probe, Problem, ReasoningPath
from adjudge_health import metric


class Members(Probe):
    """The share of judgements that each judge of a cascade decided; of a panel the share of its verdicts that each judge voted for."""

    use: Literal["members"] = "members"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        """Means over problems, a problem's judgements being one; nothing where a judge decides alone."""
        of: dict[str, list[ReasoningPath]] = {}
        for path in paths:
            if path.outcome != Outcome.FAILED:
                of.setdefault(path.problem_id, []).append(path)
        shares = [decided_by(some) for some in of.values()]
        names = sorted({name for found in shares for name in found})
        return {name: metric([found.get(name, 0.0) for found in shares if found]) for name in names}


def decided_by(paths: Iterable[ReasoningPath]) -> dict[str, float]:
    """``decided by NAME`` of a cascade's judgements and ``voted for by NAME`` of a panel's verdicts, each as a share of them."""
    counts, judged, voted = dict[str, int](), 0, 0
    for path in paths:
        told: Mapping[str, Any] = path.verdict.told
        if "decided_by" in told:
            judged += 1
            counts[f"decided by {told['decided_by']}"] = counts.get(f"decided by {told['decided_by']}", 0) + 1
        elif "votes" in told and path.verdict.outcome.decided:
            voted += 1
            for name, said in told["votes"].items():
                key = f"voted for by {name}"
                counts[key] = counts.get(key, 0) + (said == path.verdict.outcome.value)
    return {name: count / (judged if name.startswith("decided") else voted) for name, count in counts.items()}
