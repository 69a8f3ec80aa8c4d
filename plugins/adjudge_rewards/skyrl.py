"""SkyRL: a generator around SkyRL's own that ranks the answers to each prompt once the batch is there.

An environment of skyrl-gym sees one answer, in one of a few threads: waiting there for the others could take every thread. The generator
sees the batch, with the prompt that each answer belongs to. Its reward is added at the answer's last token to what the environment gave;
`JudgedEnv` gives nothing of its own. SkyRL has no mask: an undecided answer gets the mean of its group, and the metrics count it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .anchors import anchors_of
from .config import open_reward, read_reward
from .conversations import prompt_text
from .framework import tested_with
from .group_reward import GroupReward
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("skyrl", ">=0.3,<0.4", "pip install skyrl skyrl-gym, with Python 3.12")

from skyrl.train.generators.base import GeneratorInput, GeneratorInterface, GeneratorOutput
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
from skyrl_gym.envs.registration import register, registry

ENV = "adjudge"
"""`env_class` of rows whose one answer the judge alone rewards."""


class JudgedEnv(BaseTextEnv):  # type: ignore[misc]
    """One answer, and no reward of the environment's own."""

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None) -> None:
        super().__init__()

    def step(self, action: str) -> BaseTextEnvStepOutput:
        return BaseTextEnvStepOutput(observations=[], reward=0.0, done=True, metadata={})


if ENV not in registry:
    register(id=ENV, entry_point=f"{__name__}:JudgedEnv")


class RankedGenerator(GeneratorInterface):  # type: ignore[misc]
    """``RankedGenerator(super().get_generator(cfg, tokenizer, client), tokenizer, "reward.yaml")`` in a `get_generator` of yours."""

    def __init__(self, generator: GeneratorInterface, tokenizer: Any, file: str | FilePath) -> None:
        self.generator, self.tokenizer, self.file = generator, tokenizer, FilePath(file).absolute()
        self.anchor = read_reward(self.file).anchor
        self._open = ExitStack()
        self._reward: GroupReward | None = None

    async def generate(self, input_batch: GeneratorInput, disable_tqdm: bool = False) -> GeneratorOutput:
        takes = inspect.signature(self.generator.generate).parameters
        more = {"disable_tqdm": disable_tqdm} if "disable_tqdm" in takes else {}
        output = await self.generator.generate(input_batch, **more)
        if len(output["response_ids"]) != len(input_batch["prompts"]):
            raise ConfigError("the reward is one for a whole trajectory.\n  Remedy: set generator.step_wise_trajectories=false.")
        values, metrics = await asyncio.to_thread(self._judged, input_batch, output)
        rewards = [_added(given, value) for given, value in zip(output["rewards"], values, strict=True)]
        if getattr(getattr(self.generator, "generator_cfg", None), "zero_reward_on_non_stop", False):  # what was asked for holds for ours
            rewards = self.generator._zero_reward_if_not_stop(rewards, output["stop_reasons"])
        output["rewards"] = rewards
        output["rollout_metrics"] = {**(output.get("rollout_metrics") or {}), **metrics}
        return output

    def _judged(self, batch: GeneratorInput, output: GeneratorOutput) -> tuple[list[float], dict[str, float]]:
        if self._reward is None:
            self._reward = self._open.enter_context(open_reward(self.file))
        prompts = batch["prompts"]
        ids = batch.get("trajectory_ids") or [None] * len(prompts)
        groups = [prompt_text(prompt, "a prompt") if one is None else one.instance_id for prompt, one in zip(prompts, ids, strict=True)]
        texts = [self._answer(*one) for one in zip(output["response_ids"], output["loss_masks"], strict=True)]
        anchors = [self._anchors(extras or {}) for extras in batch.get("env_extras") or [None] * len(prompts)]
        found = self._reward.judged(prompts, texts, groups=groups, anchors=anchors)
        metrics = {f"adjudge/{name}": float(value) for name, value in self._reward.metrics.items()}
        return [value or 0.0 for value in decided(found, groups, "mean")], metrics

    def _answer(self, tokens: Sequence[int], mask: Sequence[int]) -> str:
        """What was said last: of several turns, the tokens behind what an environment said; the mask is 0 there."""
        if 1 in mask:
            end = len(mask) - list(reversed(mask)).index(1)
            start = next((at + 1 for at in range(end - 1, -1, -1) if not mask[at]), 0)
            tokens = tokens[start:end]
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _anchors(self, extras: dict[str, Any]) -> list[str]:
        """The reference answers in the field of the row, its `extra_info` or its `reward_spec` that the reward names."""
        return anchors_of(self.anchor, "a row", extras, extras.get("extra_info") or {}, extras.get("reward_spec") or {})


def _added(given: Any, value: float) -> Any:
    """The environment's reward, of the answer or of each of its tokens, with the judge's."""
    if isinstance(given, int | float):
        return float(given) + value
    return [*given[:-1], given[-1] + value] if given else given
