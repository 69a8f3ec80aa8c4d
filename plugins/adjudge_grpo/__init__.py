"""GRPO through TRL's GRPOTrainer, with reward rules: ReasonGRM's first and third stage, and RRM's training.

The papers: reward +1 when the verdict is the label, -1 otherwise, and none on the reasoning (RRM); groups whose K answers are all
right or all wrong give no update (ReasonGRM); the third stage trains on problems for which not all of N samples are right. What
they leave open is an option here: K, N, steps, learning rate, KL. A call that failed is masked, never counted as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import RewardRule, Stage, StageResult, StageTrainer, hookimpl, named_once

from .rules import Format, Length, VerdictRule


class Grpo(StageTrainer):
    """Group-relative policy optimisation of the judge on rules it can check, through TRL."""

    use: Literal["grpo"] = "grpo"
    rules: Annotated[list[RewardRule], Field(min_length=1), AfterValidator(named_once)] = [VerdictRule()]
    """Reward rules; a path's reward is the weighted sum of those that apply to it."""
    only: Literal["all", "hard"] = "all"
    """``hard`` = only problems whose pass rate over `probe_samples` judgements of the stage's first model is below 1."""
    probe_samples: Annotated[int, Field(gt=0)] = 4
    """N, judgements per problem to find the hard ones."""
    steps: Annotated[int, Field(gt=0)] = 100
    """Optimiser steps."""
    prompts_per_step: Annotated[int, Field(gt=0)] = 16
    """Groups in a step."""
    group: Annotated[int, Field(gt=1)] = 8
    """K, judgements sampled for a prompt: one group."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-6
    """Peak learning rate of AdamW."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes on from its peak."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL divergence from the stage's first model; 0 = none."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """Sampling temperature of the rollouts; None = the judge's own, which must then be above 0."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What advantages are divided by: the standard deviation of rewards in the group, in the whole batch with the groups that are
    skipped, or nothing."""
    save_every: Annotated[int, Field(gt=0)] = 25
    """Steps between checkpoints; a stopped stage goes on from the last one."""
    micro_batch: Annotated[int, Field(gt=0)] | None = None
    """Judgements per forward and backward pass; None = all of a step at once. Must divide prompts_per_step x group."""

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        size = self.prompts_per_step * self.group
        if self.micro_batch is not None and size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide prompts_per_step x group = {size}")
        return self

    def train(self, stage: Stage) -> StageResult:
        from .train import train

        return train(self, stage)


@hookimpl
def register_reward_rules() -> Iterable[type[RewardRule]]:
    return [VerdictRule, Format, Length]


@hookimpl
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    return [Grpo]
