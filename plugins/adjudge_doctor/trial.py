"""One judge tried on a model: how much of what it writes can be read, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from adjudge import Judge, Outcome, Problem, ReasoningPath, Session, build_requests, consistency, mean_tokens, sample_paths, wilson
from adjudge_judges import tokens_spent

SCREEN = 4
"""Pairs after which a judge that nothing could be read of is given up."""
ENOUGH = 0.85
"""Share of readable judgements that a judge needs before others' accuracy counts against it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a judge's judgements, each pair asked in both orders."""

    judge: Judge
    paths: tuple[ReasoningPath, ...]
    right: tuple[bool, ...]
    """For each judgement of a labelled pair that came back, whether it names the label."""

    @property
    def back(self) -> list[ReasoningPath]:
        return [path for path in self.paths if path.outcome != Outcome.FAILED]

    @property
    def readable(self) -> float | None:
        """Share of the judgements that came back and are verdicts; None where none came back."""
        return sum(path.outcome.decided for path in self.back) / len(self.back) if self.back else None

    @property
    def same(self) -> float | None:
        """Share of pairs with the same verdict in both orders."""
        pairs: dict[str, list[Outcome]] = {}
        for path in self.paths:
            pairs.setdefault(path.problem_id, []).append(path.outcome)
        return consistency(pairs.values())

    @property
    def first(self) -> float | None:
        """Share of decided verdicts for the answer that was shown first."""
        shown = [(path.verdict.outcome) for path in self.paths if path.outcome in (Outcome.FIRST, Outcome.SECOND)]
        return sum(outcome == Outcome.FIRST for outcome in shown) / len(shown) if shown else None

    @property
    def accuracy(self) -> float | None:
        """Share of judgements that name the label, of those that came back; what cannot be read is wrong."""
        return sum(self.right) / len(self.right) if self.right else None

    @property
    def tokens(self) -> float | None:
        return mean_tokens(map(tokens_spent, self.back))

    @property
    def members(self) -> dict[str, float]:
        """Of a judge made of judges, who settles how much; empty for any other."""
        from adjudge_soft import decided_by

        return decided_by(self.back)

    def row(self) -> dict[str, Any]:
        """The trial as JSON, with the end of one text that could not be read."""
        unread = next((path for path in self.back if not path.outcome.decided), None)
        outcomes = {outcome.value: sum(path.outcome == outcome for path in self.paths) for outcome in Outcome}
        return {
            "judge": self.judge.use,
            "judgements": len(self.paths),
            "readable": self.readable,
            "same_in_both_orders": self.same,
            "first_shown_preferred": self.first,
            "accuracy": self.accuracy,
            "interval": wilson(sum(self.right), len(self.right)) if self.right else None,
            "mean_tokens": self.tokens,
            **({"members": members} if (members := self.members) else {}),
            "outcomes": {name: count for name, count in outcomes.items() if count},
            "unreadable_text": None if unread is None else unread.completion.text,
            "error": next((path.completion.error for path in self.paths if path.completion.error), None),
        }


def tried(judge: Judge, problems: Sequence[Problem], session: Session, *, seed: int = 0) -> Trial:
    """Ask this judge about all pairs, or about the first few where nothing of those can be read."""
    paths = list(_asked(judge, problems[:SCREEN], session, seed))
    if any(path.outcome.decided for path in paths):
        paths += _asked(judge, problems[SCREEN:], session, seed)
    by_id = {problem.id: problem for problem in problems}
    rights = [path.right(by_id[path.problem_id]) for path in paths]
    return Trial(judge, tuple(paths), tuple(right for right in rights if right is not None))


def _asked(judge: Judge, problems: Sequence[Problem], session: Session, seed: int) -> Iterable[ReasoningPath]:
    return sample_paths(session, judge, build_requests(problems, judge, seed=seed, purpose="doctor"))


def recommended(trials: Sequence[Trial]) -> Trial | None:
    """Of the judges that can be read, the one that is right most often, then the one least led by the order, then the shortest.

    None where nothing of any judge can be read.
    """
    read = [trial for trial in trials if trial.readable]

    def worth(trial: Trial) -> tuple[bool, float, float, float, float]:
        readable = trial.readable or 0
        return (readable >= ENOUGH, trial.accuracy or 0, trial.same or 0, readable, -(trial.tokens or 0))

    return max(read, key=worth, default=None)


def room_for(trial: Trial, most: int) -> int:
    """A limit of tokens that leaves twice the longest judgement that ended by itself, in steps of 64."""
    longest = max((len(path.completion.token_ids) for path in trial.back if not path.completion.truncated), default=0)
    return min(most, 64 * ceil(2 * longest / 64)) if longest else most
