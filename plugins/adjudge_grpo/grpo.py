"""Options of the stage trainer `grpo`; the training itself is in `train`, what it needs of torch is imported there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import (
    ConfigError,
    Eligibility,
    Judge,
    Problem,
    RewardRule,
    StageContext,
    StageResult,
    StageTrainer,
    Work,
    count_requests,
    named_once,
)
from adjudge_eligibility import Label, check_orders
from adjudge_trl import Lora, check_trl, checked_table, micro_batches

from .rules import VerdictRule

OURS = {
    "max_steps": "write the stage's 'steps'",
    "num_train_epochs": "write the stage's 'steps'",
    "num_generations": "write the stage's 'group'",
    "generation_batch_size": "write the stage's 'prompts_per_step'",
    "steps_per_generation": "write the stage's 'prompts_per_step'",
    "beta": "write the stage's 'beta'",
    "temperature": "write the stage's 'temperature'",
    "top_p": "write the judge's 'top_p'",
    "max_completion_length": "write the judge's 'max_new_tokens'",
    "scale_rewards": "write the stage's 'scale_rewards'",
    "shuffle_dataset": "the stage shuffles its problems by the run's 'seed'",
    "reward_weights": "write the 'weight' of the stage's rules",
    "chat_template_kwargs": "judges are asked with the template's defaults, in training as elsewhere",
}
"""Options of TRL that this stage sets, beside those that every stage does."""


class Grpo(StageTrainer):
    """Group-relative policy optimisation of the judge on rules it can check, through TRL."""

    without_effect = frozenset({"save_every"})
    later = frozenset({"eligible"})
    use: Literal["grpo"] = "grpo"
    rules: Annotated[list[RewardRule], Field(min_length=1, default_factory=lambda: [VerdictRule()]), AfterValidator(named_once)]
    """Reward rules; a path's reward is their weighted sum, with the group's mean for a rule that does not apply to it."""
    only: Literal["all", "hard"] = "all"
    """``hard`` = only problems whose pass rate over `probe_samples` judgements of the stage's first model is below 1."""
    probe_samples: Annotated[int, Field(gt=0)] = 4
    """N, judgements per problem to find the hard ones."""
    eligible: Eligibility = Label()
    """What passes for right where ``hard`` problems are looked for: the label or, without labels, what stands in for it."""
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
    logprobs: Literal["trl", "adjudge"] = "trl"
    """Who computes log-probabilities and entropies of the rollouts: TRL's own head, or adjudge's `token_logprobs`, of which R⋆ is made
    too. Neither holds all logits at once; ``adjudge`` does not do mixtures of experts."""
    share_prompts: bool | None = None
    """Read a prompt once for all of its rollouts in a micro-batch when training, too, which computes the same in less time and memory, up
    to rounding and to what dropout draws; None = on a CPU, where this has been measured. Not with gradient checkpointing, weights that
    are sharded, or a mixture of experts whose load is balanced. TRL's micro-batches, over which the recorded ``entropy`` and ``kl`` are
    means, are sorted by prompt for it, but not with ``bnpo``, an entropy bonus or ``top_entropy_quantile``, where a loss depends on who
    stands in one."""
    lora: Lora | None = None
    """Train low-rank adapters; None = all weights."""
    trl: Annotated[dict[str, Any], AfterValidator(checked_table("GRPOConfig", OURS))] = {}
    """Further options of TRL's ``GRPOConfig`` by its own names, such as ``{gradient_checkpointing: true, use_vllm: true}``."""

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        size = self.prompts_per_step * self.group
        if self.micro_batch is not None and size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide prompts_per_step x group = {size}")
        return self

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return any(rule.needs_labels for rule in self.rules) or (self.only == "hard" and self.eligible.needs_labels)

    def train(self, stage: StageContext) -> StageResult:
        from .train import train

        return train(self, stage)

    def check_judge(self, judge: Judge, field: str) -> None:
        check_trl()
        self.rollout_temperature(judge, field)
        if judge.stop and self.trl.get("mask_truncated_completions"):
            raise ConfigError(
                f"{field}.trl.mask_truncated_completions: TRL takes a judgement that ends with one of the judge's stop strings for cut off,"
                " and would train on none.\n  Remedy: leave it out, or leave out judge.stop."
            )
        check_orders(self.eligible, judge, f"{field}.eligible")

    def rollout_temperature(self, judge: Judge, field: str) -> float:
        """The stage's own, else the judge's; a greedy judge would give groups without any difference to learn from."""
        temperature = judge.temperature if self.temperature is None else self.temperature
        if temperature == 0:
            raise ConfigError(
                f"{field}.temperature: the judge is greedy, so all rollouts of a group would be the same.\n"
                "  Remedy: give this stage a temperature above 0, for example 1.0."
            )
        return temperature

    def check_processes(self, processes: int) -> None:
        micro_batches(self.prompts_per_step * self.group, self.micro_batch, processes)

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        """The rollouts of every step, and the probe for hard problems."""
        from adjudge_trl import training_load

        rollouts = self.steps * self.prompts_per_step * self.group
        probe = count_requests(len(problems), judge, self.probe_samples) if self.only == "hard" else 0
        training = training_load(
            self.lora, self.trl, step=self.prompts_per_step * self.group, sequences=(rollouts, rollouts), rows=self.micro_batch,
            reference=self.beta > 0, samples=True,
        )  # fmt: skip
        return Work((rollouts + probe, rollouts + probe), (self.steps, self.steps), training)

    def clean_up(self, stage: StageContext) -> None:
        from adjudge_trl import drop_checkpoints

        drop_checkpoints(stage)
