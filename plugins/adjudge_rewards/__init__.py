"""A judge as anyone's reward: the core that ranks a group's completions, its file ``reward.yaml``, and adapters for RL frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .cohorts import Cohorts, SlotTaken
    from .config import RewardConfig, open_reward, read_reward
    from .group_reward import GroupReward, SampleReward
    from .ranks import from_main, gathered, rank
    from .trl import TrlReward
    from .undecided import Undecided, decided

__all__ = [
    "Cohorts", "GroupReward", "RewardConfig", "SampleReward", "SlotTaken", "TrlReward", "Undecided", "decided", "from_main", "gathered",
    "open_reward", "rank", "read_reward",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, reward

    return [Command("reward", reward, EXAMPLE)]
