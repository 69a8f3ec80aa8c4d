"""AReaL: a rollout workflow whose samples wait for each other and are judged as a group (tested with areal 1.0.4).

AReaL runs a prompt's samples at once, on one workflow and in one event loop, where they find and count each other. It rejects a sample
whose workflow returns None: that is what an undecided one does, after its turn, so that it is neither trained on nor in anybody's mean.
AReaL's own wrapper of reward functions gives each sample 15 seconds and then 0, in a process of its own; it is not used.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from pathlib import Path as FilePath
from typing import Any

from .framework import tested_with
from .in_process import Place, Together, cohorts_of, reward_of

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("areal", ">=1.0.4,<1.1", "pip install areal")

from areal import workflow_context
from areal.utils import stats_tracker
from areal.workflow.rlvr import RLVRWorkflow

_place: ContextVar[Place] = ContextVar("adjudge_place")


class _NoReward(Exception):
    """A sample is undecided; it never leaves this file."""


class AdjudgeWorkflow(RLVRWorkflow):  # type: ignore[misc]
    """AReaL's workflow of one turn, ``workflow="adjudge_rewards.areal.AdjudgeWorkflow"``, with a reward's file in place of ``reward_fn``.

    AReaL makes an instance for every prompt; they share one judge in each process. In an evaluation the number is the absolute one where
    there are anchors.
    """

    def __init__(self, reward: FilePath | str, gconfig: Any, tokenizer: Any, *, collect_seconds: float = 1800, **more: Any) -> None:
        super().__init__("", gconfig, tokenizer, **more)  # a name in place of a function, which AReaL would put into processes
        self.reward_fn = None
        self.file, self.collect_seconds, self.together = reward, collect_seconds, Together()
        reward_of(reward)  # a mistake in the file is told here

    async def arun_episode(self, engine: Any, data: dict[str, Any]) -> dict[str, Any] | None:
        async with self.together.join(data) as place:
            _place.set(place)
            try:
                found: dict[str, Any] = await super().arun_episode(engine, data)
            except _NoReward:
                return None
            return found

    async def _compute_rewards(self, resp: Any, prompt_str: str, task_data: dict[str, Any]) -> float:
        text = await asyncio.to_thread(self.tokenizer.decode, resp.output_tokens, skip_special_tokens=True)
        place = _place.get()
        found = await cohorts_of(self.file, collect_seconds=self.collect_seconds).ask(
            self.data_extract_prompt_fn(task_data) or prompt_str,
            text,
            group=place.group,
            size=place.group.size,
            slot=place.number,
            anchors=reward_of(self.file).anchors_in(task_data),
        )
        context = workflow_context.get()
        value = found.absolute if context.is_eval and found.absolute is not None else found.value
        stats_tracker.get(workflow_context.stat_scope()).scalar(**found.metrics)
        if value is None:
            raise _NoReward(found.reason)
        return value
