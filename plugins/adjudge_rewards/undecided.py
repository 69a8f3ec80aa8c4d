"""What an RL framework is told of a completion that nobody could judge; it is counted in any case, and never a number of our invention."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, TypeAlias

from adjudge import JobError

from .group_reward import SampleReward

Undecided: TypeAlias = Literal["none", "mean", "raise"]
"""``none``: None, where it is masked. ``mean``: the mean of the group's decided ones, whose advantage is 0. ``raise``: an error."""
NEUTRAL = 0.0
"""Of a group in which nothing is decided, for every completion: alike, so that none has an advantage."""
NEUTRALS = {"win-rate": 0.5, "rank": 0.5, "minmax": 0.5}
"""The same by the kind of reward, where it is not 0: what all have who are equal."""


def decided(
    rewards: Sequence[SampleReward], groups: Sequence[Hashable], undecided: Undecided, neutral: float = NEUTRAL
) -> list[float | None]:
    """The values, in order, with what the framework is told in place of those that are undecided.

    `groups` names each one's group; `neutral` is what all of a group have in which nothing is decided.
    """
    if undecided == "none":
        return [one.value for one in rewards]
    if undecided == "raise" and (reason := next((one.reason for one in rewards if one.value is None), None)) is not None:
        raise JobError(f"a completion has no reward: {reason}.\n  Remedy: see that the judge can answer, or give undecided='mean'.")
    known: dict[Hashable, list[float]] = {}
    for one, group in zip(rewards, groups, strict=True):
        if one.value is not None:
            known.setdefault(group, []).append(one.value)
    means = {group: sum(values) / len(values) for group, values in known.items()}
    return [means.get(group, neutral) if one.value is None else one.value for one, group in zip(rewards, groups, strict=True)]
