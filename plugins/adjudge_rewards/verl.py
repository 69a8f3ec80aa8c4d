"""verl: a reward manager that waits for a completion's group and has it judged as a whole (tested with verl 0.9.1).

verl hands every completion to one of its reward workers by chance, as soon as it ends. So all workers send theirs to one Ray actor, which
holds the judge and puts groups together; `reward.num_workers` may be any number. verl has no mask: an undecided completion gets the mean of
its group, and ``adjudge_undecided`` in the metrics says how many there were. Where verl scores a whole batch at once it fills the last
worker's share up with copies; `num_workers` should then divide the batch, for a copy waits for a group that does not come.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, stable_id

from .anchors import anchors_in
from .cohorts import EVALUATED, Cohorts
from .config import open_reward, read_reward
from .framework import tested_with
from .group_reward import SampleReward

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("verl", ">=0.9,<0.10", "pip install verl")

import ray
from verl import DataProto
from verl.experimental.reward_loop.reward_manager import register
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase


class GroupsActor:
    """The one place where all workers' completions meet."""

    def __init__(self, file: str, collect_seconds: float) -> None:
        self.open = ExitStack()
        reward = self.open.enter_context(open_reward(file))
        self.cohorts = Cohorts(reward, undecided="mean", collect_seconds=collect_seconds)

    async def ask(self, prompt: Any, text: str, group: str, size: int, slot: Any, anchors: list[str]) -> SampleReward:
        return await self.cohorts.ask(prompt, text, group=group, size=size, slot=slot, anchors=anchors)


@register("adjudge")
class VerlReward(RewardManagerBase):  # type: ignore[misc]
    """``reward.reward_manager.name=adjudge``; the file is ``+reward.adjudge=reward.yaml``, or that of ``ADJUDGE_REWARD``."""

    def __init__(
        self, config: Any, tokenizer: Any, compute_score: Any, reward_router_address: str | None = None, reward_model_tokenizer: Any = None
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        named = config.reward.get("adjudge") or os.environ.get("ADJUDGE_REWARD")
        if not named:
            raise ConfigError("no reward is named.\n  Remedy: add +reward.adjudge=/path/reward.yaml, or set ADJUDGE_REWARD.")
        file = str(FilePath(str(named)).absolute())
        self.anchor = read_reward(file).anchor  # a mistake in the file is told here, and not in another process
        self.sizes = (int(config.actor_rollout_ref.rollout.n), int(config.actor_rollout_ref.rollout.val_kwargs.n))
        seconds = float(config.reward.get("adjudge_collect_seconds") or 1800)
        actor = ray.remote(num_cpus=0, max_concurrency=10_000)(GroupsActor)
        self.groups = actor.options(name=f"adjudge-{stable_id(file)}", get_if_exists=True).remote(file, seconds)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """One completion's reward, once its group is there. The group is verl's `uid`, the slot its `session_id` where it has one."""
        item = data[-1:][0]  # of a trajectory with several outputs, the last
        fields = item.non_tensor_batch
        if "uid" not in fields or "raw_prompt" not in fields:
            raise ConfigError("the rows have no uid or no raw_prompt.\n  Remedy: use verl's agent loop, which gives both.")
        text = await asyncio.to_thread(self._text, item)
        prompt, slot = _plain(fields["raw_prompt"]), _plain(fields.get("session_id"))
        found = await self.groups.ask.remote(prompt, text, str(fields["uid"]), self._size(fields), slot, self._anchors(fields))
        return {"reward_score": float(found.value), "reward_extra_info": found.metrics}

    def _text(self, item: Any) -> str:
        tokens = item.batch["responses"]
        length = int(item.batch["attention_mask"][-tokens.shape[-1] :].sum())
        return str(self.tokenizer.decode(tokens[:length], skip_special_tokens=True))

    def _size(self, fields: Mapping[str, Any]) -> int:
        """How many completions the group has: what the row says, or verl's settings for training or evaluation."""
        info = fields.get("extra_info") or {}
        return int(info.get("group_size") or self.sizes[str(info.get("split", "train")).lower() in EVALUATED])

    def _anchors(self, fields: Mapping[str, Any]) -> list[str]:
        """The reference answers in the column that the reward names, of the row, its ``extra_info`` or its ``reward_model``."""
        return anchors_in(self.anchor, fields, fields.get("extra_info") or {}, fields.get("reward_model") or {})


def _plain(value: Any) -> Any:
    """numpy's values as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
