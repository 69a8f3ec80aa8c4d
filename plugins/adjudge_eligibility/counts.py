"""How a rule did: the share of paths that it lets through and, where there are labels, how far it agrees with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjudge import Eligibility, Json, Outcome, Problem, ReasoningPath

from .texts import texts_of


def tally(rule: Eligibility, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], eligible: Sequence[bool]) -> dict[str, Json]:
    """Counts and shares of a pool; None for what only labels could tell, of paths whose problems have none.

    A call that failed is no path to choose: it is in no number but `paths`."""
    came_back = [(one, path.right(problems[path.problem_id])) for one, path in _with_answers(paths, eligible)]
    labelled = [(one, right) for one, right in came_back if right is not None]
    let_through = [right for one, right in labelled if one]
    return {
        "rule": rule.use,
        "paths": len(paths),
        "eligible": sum(eligible),
        "share": sum(eligible) / len(came_back) if came_back else None,
        "labelled": len(labelled),
        "agreement": sum(one == right for one, right in labelled) / len(labelled) if labelled else None,
        "false": let_through.count(False) if labelled else None,
        "false_share": let_through.count(False) / len(let_through) if let_through else None,
        "missed": sum(right and not one for one, right in labelled) if labelled else None,
    }


def _with_answers(paths: Sequence[ReasoningPath], eligible: Sequence[bool]) -> list[tuple[bool, ReasoningPath]]:
    """What the rule says of each path that came back."""
    return [(one, path) for one, path in zip(eligible, texts_of(paths), strict=True) if path.outcome != Outcome.FAILED]
