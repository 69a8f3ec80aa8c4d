"""GRPO through TRL's GRPOTrainer, with reward rules: ReasonGRM's first and third stage, and RRM's training.

The papers: reward +1 when the verdict is the label, -1 otherwise, and none on the reasoning (RRM); groups whose K answers are all
right or all wrong give no update (ReasonGRM); the third stage trains on problems for which not all of N samples are right. What
they leave open is an option here: K, N, steps, learning rate, KL. A call that failed is masked, never counted as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import RewardRule, StageTrainer

    from .grpo import Grpo
    from .rules import Format, Length, VerdictRule, group_rewards, rule_values

__all__ = ["Format", "Grpo", "Length", "VerdictRule", "group_rewards", "rule_values"]

__getattr__ = lazy_names(__name__)


@hookimpl
def register_reward_rules() -> Iterable[type[RewardRule]]:
    from .rules import Format, Length, VerdictRule

    return [VerdictRule, Format, Length]


@hookimpl
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    from .grpo import Grpo

    return [Grpo]
