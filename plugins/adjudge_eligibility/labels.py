"""The two ends: only what a label calls right, and whatever has a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from adjudge import Eligibility, Problem, ReasoningPath, Session

from .texts import texts_of


class Label(Eligibility):
    """The paths whose verdict is the label: ReasonGRM's rule."""

    needs: ClassVar[str] = "labels"
    needs_labels: ClassVar[bool] = True
    use: Literal["label"] = "label"

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        return [bool(path.right(problems[path.problem_id])) for path in texts_of(paths)]


class WithVerdict(Eligibility):
    """Every path that has a verdict, right or wrong: the scorer alone chooses."""

    use: Literal["none"] = "none"

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        return [path.outcome.decided for path in texts_of(paths)]
