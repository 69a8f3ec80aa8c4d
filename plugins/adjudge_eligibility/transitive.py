"""Verdicts on several answers to one prompt that make one order: a pair in a circle (a over b, b over c, c over a) speaks for no path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Eligibility, Outcome, Problem, ReasoningPath, Session

from .majorities import ANSWERS, consensus
from .texts import by_problem, texts_of

Answer = tuple[str, str]
"""A prompt and one of the answers to it."""


class Transitive(Eligibility):
    """The paths that name their pair's majority, where it fits those of other pairs of the same prompt (SERL, 2511.07922)."""

    needs: ClassVar[str] = "several pairs of one prompt"
    use: Literal["transitive"] = "transitive"
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least share of a pair's judgements that has to name its answer; 0 = more than name the other one."""
    alone: bool = True
    """Whether a pair counts whose answers stand in no other pair, so that nothing could contradict it."""

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        named = {problem_id: consensus(some, self.share) for problem_id, some in by_problem(paths)}
        fits = self._fitting(problems, named)
        return [path.outcome == named[path.problem_id] and path.problem_id in fits for path in texts_of(paths)]

    def _fitting(self, problems: Mapping[str, Problem], named: Mapping[str, Outcome | None]) -> set[str]:
        """The pairs whose majority lies on no circle of majorities."""
        sides = {ident: _sides(problems[ident], outcome) for ident, outcome in named.items() if outcome is not None}
        below: dict[Answer, set[Answer]] = defaultdict(set)
        pairs: dict[Answer, set[str]] = defaultdict(set)
        for ident, (better, worse) in sides.items():
            below[better].add(worse)
            pairs[better].add(ident)
            pairs[worse].add(ident)
        return {
            ident
            for ident, (better, worse) in sides.items()
            if not _leads(below, worse, better) and (self.alone or len(pairs[better] | pairs[worse]) > 1)
        }


def _sides(problem: Problem, outcome: Outcome) -> tuple[Answer, Answer]:
    """The better and the worse answer of a pair by its majority."""
    better = ANSWERS.index(outcome)
    return (problem.prompt, problem.answers[better]), (problem.prompt, problem.answers[1 - better])


def _leads(below: Mapping[Answer, set[Answer]], start: Answer, goal: Answer) -> bool:
    """Whether one answer stands above another by majorities, over however many pairs."""
    seen, ahead = {start}, [start]
    while ahead:
        for answer in below.get(ahead.pop(), ()):
            if answer == goal:
                return True
            if answer not in seen:
                seen.add(answer)
                ahead.append(answer)
    return False
