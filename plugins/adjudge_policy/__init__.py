"""A policy that learns from the judge: the stage `policy`, RRM's last experiment, in which a judge's verdicts are the only reward.

The paper trains a policy by GRPO on questions without answers; the answers of a group meet in a knockout, and their ratings are the
rewards. Different here: the reward is any aggregator's, or the share of points against the first policy's answers; beside it the share of
right answers is measured, so that one sees where the two part; and labels or the group's majority can be the reward instead, to compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import StageTrainer

    from .policy import Policy
    from .sources import JudgeReward, LabelReward, MajorityReward

__all__ = ["JudgeReward", "LabelReward", "MajorityReward", "Policy"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    from .policy import Policy

    return [Policy]
