"""A judge as anyone's reward: the core that ranks a group's completions, its file ``reward.yaml``, and adapters for RL frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .batches import Batches
    from .cohort import Failure, Told
    from .cohort_store import CohortStore
    from .cohorts import EVALUATED, Cohorts, SlotTaken, TakesNoMore
    from .config import RewardConfig, open_reward, read_reward
    from .conversations import Said, answer_text, prompt_text
    from .group_reward import GroupReward, RewardAnswer, RewardCall, SampleReward
    from .pointwise import check_pointwise
    from .ranks import from_main, gathered, rank
    from .trl import TrlReward
    from .undecided import Undecided, decided

__all__ = [
    "EVALUATED", "Batches", "CohortStore", "Cohorts", "Failure", "GroupReward", "RewardAnswer", "RewardCall", "RewardConfig", "Said",
    "SampleReward", "SlotTaken", "TakesNoMore", "Told", "TrlReward", "Undecided", "answer_text", "check_pointwise", "decided", "from_main",
    "gathered", "open_reward", "prompt_text", "rank", "read_reward",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, reward

    return [Command("reward", reward, EXAMPLE)]
