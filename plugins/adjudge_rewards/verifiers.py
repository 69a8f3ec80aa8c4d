"""verifiers 0.4: an environment that ranks the attempts at a task, and a judge that compares each with reference answers.

verifiers finds both in a module of the user's, by its name; that module says ``from adjudge_rewards.verifiers import RankedEnv``. Nobody's
judgement is an error on the attempt's trace: without an error its `reward` would read 0. verifiers leaves such a trace out, also of the
group's mean. prime-rl leaves out its whole episode, which is the group; there ``undecided="mean"`` keeps the others.
"""

from __future__ import annotations

import asyncio
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import ConfigError, DataError, JobError

from .anchors import anchors_of
from .config import read_reward
from .conversations import Said
from .framework import tested_with
from .group_reward import SampleReward
from .in_process import cohorts_of
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("verifiers", ">=0.4,<0.5", "pip install verifiers")

import verifiers.v1 as vf

__all__ = ["AnchorJudge", "RankedEnv"]


class RankedEnvConfig(vf.EnvConfig):  # type: ignore[misc]
    """``--env.id`` of the user's module, ``--env.reward reward.yaml``, ``--env.n 8``."""

    agent: vf.AgentConfig = vf.AgentConfig()
    """Who attempts the task."""
    n: Annotated[int, Field(ge=1)] = 8
    """How many attempts a group has."""
    reward: FilePath = FilePath("reward.yaml")
    """The reward's file."""
    name: str = "adjudge"
    """Key of the reward in a trace."""
    weight: float = 1.0
    """What the reward counts among those of the task itself."""
    undecided: Literal["error", "mean"] = "error"
    """What an attempt gets that nobody could judge: an error, or the mean of its group, which has no advantage."""


class RankedEnv(vf.Env[RankedEnvConfig]):  # type: ignore[misc]
    """`n` attempts at a task are an episode, which is a group: they are ranked once the last one is there."""

    async def start(self) -> None:
        self.cohorts, self.anchor = cohorts_of(self.config.reward), read_reward(self.config.reward).anchor

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        await asyncio.gather(*(agents.agent.run(task) for _ in range(self.config.n)))

    async def finalize(self, task: vf.Task, episode: vf.Episode) -> None:
        """Reward every attempt that ended well; `SampleReward.metrics` are those of all, 0 for the others."""
        name, finished = self.config.name, [trace for trace in episode.traces if trace.ok]
        if any(name in trace.rewards for trace in finished):
            raise ConfigError(f"the task has a reward {name!r} already, which would be replaced.\n  Remedy: give --env.name another one.")
        prompt, anchors = asked(task.data), references(task.data, self.anchor)
        found = await asyncio.gather(
            *(
                self.cohorts.ask(prompt, trace.last_reply, group=episode.id, size=len(finished), slot=trace.id, anchors=anchors)
                for trace in finished
            )
        )
        for trace in episode.traces:
            trace.rewards[name] = None
            trace.record_metrics(SampleReward(0.0).metrics)
        values = decided(found, [0] * len(found), "mean" if self.config.undecided == "mean" else "none")
        for trace, one, value in zip(finished, found, values, strict=True):
            trace.record_metrics(one.metrics)
            if value is None:
                trace.record_error(JobError(f"the attempt has no reward: {one.reason}"))
            else:
                trace.record_reward(name, value, self.config.weight)


class AnchorJudgeConfig(vf.JudgeConfig):  # type: ignore[misc]
    """An entry of ``--env.taskset.task.judges``: ``{"id": MODULE, "reward": "reward.yaml"}``; its `anchor` names a field of the task."""

    reward: FilePath = FilePath("reward.yaml")
    """The reward's file."""


class AnchorJudge(vf.Judge[float, AnchorJudgeConfig]):  # type: ignore[misc]
    """One attempt by itself: its share of points against the reference answers of its task. verifiers makes one for every trace."""

    async def score(self, task: vf.TaskData, trace: vf.Trace) -> float:
        anchor = read_reward(self.config.reward).anchor
        if anchor is None:
            raise ConfigError(f"{self.config.reward}: anchor is missing.\n  Remedy: name the task's field with the reference answer.")
        one = await cohorts_of(self.config.reward).ask(
            asked(task), trace.last_reply, group=trace.id, size=1, slot=trace.id, anchors=references(task, anchor)
        )
        if one.absolute is None:
            raise JobError(f"the attempt has no reward: {one.reason or 'none of its judgements could be read'}")
        return one.absolute


def asked(task: vf.TaskData) -> Said:
    """What the task asks; a system prompt is a part of it."""
    if task.prompt is None:
        raise DataError(f"task {task.idx}: it has no prompt.\n  Remedy: use tasks with a prompt; one that a user opens cannot be ranked.")
    if isinstance(task.prompt, str) and not task.system_prompt:
        return task.prompt
    turns = [("user", task.prompt)] if isinstance(task.prompt, str) else [(one.role, _text(one.content)) for one in task.prompt]
    return [{"role": role, "content": text} for role, text in ([("system", task.system_prompt)] if task.system_prompt else []) + turns]


def references(task: vf.TaskData, field: str | None) -> list[str]:
    """The reference answers in this field of the task."""
    return anchors_of(field, f"task {task.idx}", dict(task))


def _text(content: Any) -> str:
    """Of a message's content that has parts, the texts."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content or () if getattr(part, "text", None))
