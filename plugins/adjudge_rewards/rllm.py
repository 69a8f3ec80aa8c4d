"""rLLM: a hook that groups trajectories as rLLM does and rewards those of a group by their places among each other.

``AgentTrainer(…, traj_grouping_hook=RankedGroups("reward.yaml"))``. What an evaluator gave stays in `Episode.is_correct` and in the
trajectory's `signals`; the trajectory's reward is replaced. rLLM has no mask and does not look for NaN: an undecided trajectory gets the
mean of its group, and ``adjudge_undecided`` among its signals says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, DataError

from .anchors import anchors_of
from .config import open_reward, read_reward
from .conversations import Said
from .framework import tested_with
from .group_reward import GroupReward
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("rllm", ">=0.3.0.dev0,<0.4", "put a checkout of rllm-org/rllm on PYTHONPATH")

from rllm.trainer.algorithms.transform import _default_traj_grouping_hook
from rllm.types import Episode, Trajectory, TrajectoryGroup

log = logging.getLogger("adjudge")


class RankedGroups:
    """rLLM's own groups, each ranked; the judge is opened with the first batch and stays."""

    def __init__(self, file: str | FilePath) -> None:
        self.file = FilePath(file).absolute()
        self.anchor = read_reward(self.file).anchor
        self._open = ExitStack()
        self._reward: GroupReward | None = None

    def __call__(self, episodes: list[Episode], transform_config: Any, compact_filtering_config: Any = None) -> list[TrajectoryGroup]:
        if not transform_config.broadcast:
            raise ConfigError("rllm.stepwise_advantage: the reward is one for a trajectory.\n  Remedy: set its mode to broadcast.")
        groups: list[TrajectoryGroup] = _default_traj_grouping_hook(episodes, transform_config, compact_filtering_config)
        if self._reward is None:
            self._reward = self._open.enter_context(open_reward(self.file))
        tasks = {episode.task_id: episode.task for episode in episodes}
        rows = [(group, trajectory) for group in groups for trajectory in group.trajectories]
        names = [group.group_id for group, _ in rows]
        found = self._reward.judged(
            [asked(group.trajectories[0]) for group, _ in rows],
            [answer(trajectory) for _, trajectory in rows],
            groups=names,
            anchors=[self._anchors(tasks[group.metadata[0]["task_id"]]) for group, _ in rows],
        )
        for (_, trajectory), one, value in zip(rows, found, decided(found, names, "mean"), strict=True):
            trajectory.reward = value
            trajectory.signals |= one.metrics
        for episode in episodes:
            _add_metrics(episode)
        log.info("adjudge: %s", ", ".join(f"{name} {value:.4g}" for name, value in self._reward.metrics.items()))
        if missing := [one.reason for one in found if one.value is None]:
            log.warning("adjudge: %d of %d trajectories are undecided and get their group's mean: %s", len(missing), len(found), missing[0])
        return groups

    def _anchors(self, task: Any) -> list[str]:
        """The reference answers in the field of the task, or of its metadata, that the reward names."""
        return anchors_of(self.anchor, "a task", task if isinstance(task, Mapping) else getattr(task, "metadata", None) or {})


def _add_metrics(episode: Episode) -> None:
    """What the judge took for its trajectories and the means of their other signals, among the numbers that rLLM logs of an episode."""
    signals = [one.signals for one in episode.trajectories if "adjudge_tokens" in one.signals]
    for name in signals[0] if signals else ():
        if name.startswith("adjudge_"):
            total = sum(one[name] for one in signals)
            episode.metrics[name] = total if name in ("adjudge_tokens", "adjudge_seconds") else total / len(signals)


def asked(trajectory: Trajectory) -> Said:
    """What the first call was asked, or the task's instruction."""
    messages: Sequence[Mapping[str, Any]] = trajectory.steps[0].chat_completions
    if len(messages) > 1:
        return messages[:-1]
    task = trajectory.task
    instruction = task.get("question") if isinstance(task, Mapping) else getattr(task, "instruction", task)
    if not instruction:
        raise DataError(f"trajectory {trajectory.name!r} has no messages and no task.\n  Remedy: give its steps chat_completions.")
    return instruction if isinstance(instruction, str) else [{"role": "user", "content": str(instruction)}]


def answer(trajectory: Trajectory) -> str:
    """What the last call answered."""
    step = trajectory.steps[-1]
    if step.model_response or not step.chat_completions:
        return str(step.model_response)
    return str(step.chat_completions[-1].get("content") or "")
