"""The reward rule `s-corr`: a right verdict that its reasoning does not carry, as a measure beside accuracy.

*Spurious correctness* (S-Corr) is R-Align's name (arXiv 2602.06763) for the share of right verdicts whose rationale is wrong; there a
meta-judge compares rationales with written ones. Here any reward rule says how sound a path is: exactly in the embedded worlds
(`sound-embedded`), by a rule of a plugin elsewhere, such as one that asks a meta-judge.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from adjudge import Problem, ReasoningPath, RewardRule


def _sound() -> RewardRule:
    from adjudge_worlds import SoundEmbedded

    return SoundEmbedded()


class SpuriousCorrectness(RewardRule):
    """1 where a right verdict rests on unsound reasoning, 0 where it does not; says nothing of other verdicts."""

    use: Literal["s-corr"] = "s-corr"
    by: Annotated[RewardRule, Field(default_factory=_sound)]
    """The rule that says how sound a path is; it does not apply where that one does not."""
    least: float = 1.0
    """The reward of `by` from which on reasoning is sound."""

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if not path.right(problem):
            return None
        found = self.by.reward(problem, path)
        return None if found is None else float(found < self.least)
