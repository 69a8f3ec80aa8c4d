"""Options of the stage trainer `policy`; the training itself is in `train`, what it needs of torch is imported there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import Dataset, Judge, Problem, StageContext, StageResult, StageTrainer, Work
from adjudge_trl import Lora, check_trl, checked_table, micro_batches

from .sources import JudgeReward, RewardSource

OURS = {
    "max_steps": "write the stage's 'steps'",
    "num_train_epochs": "write the stage's 'steps'",
    "num_generations": "write the stage's 'group'",
    "generation_batch_size": "write the stage's 'prompts_per_step'",
    "steps_per_generation": "write the stage's 'prompts_per_step'",
    "beta": "write the stage's 'beta'",
    "temperature": "write the stage's 'temperature'",
    "max_completion_length": "write the stage's 'max_new_tokens'",
    "shuffle_dataset": "the stage shuffles its questions by the run's 'seed'",
}
"""Options of TRL that this stage sets, beside those that every stage does."""


class Policy(StageTrainer):
    """GRPO of a policy, another model than the judge, whose answers the judge rewards; the judge is left as it is."""

    without_effect = frozenset({"save_every"})
    use: Literal["policy"] = "policy"
    model: str
    """The policy's model: a folder, or ``package:folder``."""
    data: Dataset | None = None
    """Questions to learn from; None = the prompts of the run's own data. Their answers are used by `reward: label` alone."""
    test: Dataset | None = None
    """Labelled questions to measure the policy on, none of them in `data`; None = it is not measured."""
    reward: RewardSource = Field(default_factory=lambda: {"use": "judge"}, validate_default=True)
    """Where rewards come from: ``{use: judge, …}``, ``label`` or ``majority``."""
    steps: Annotated[int, Field(gt=0)] = 100
    """Optimiser steps."""
    prompts_per_step: Annotated[int, Field(gt=0)] = 16
    """Groups in a step."""
    group: Annotated[int, Field(gt=1)] = 8
    """K, answers sampled for a question."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-6
    """Peak learning rate of AdamW."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes on from its peak."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL divergence from the first policy; 0 = none."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Sampling temperature, in training and where the policy is measured."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 256
    """Tokens an answer may take."""
    measure_every: Annotated[int, Field(gt=0)] = 10
    """Steps between measurements on `test`; the first policy and the last are always measured."""
    save_every: Annotated[int, Field(gt=0)] = 25
    """Steps between checkpoints; a stopped stage goes on from the last one."""
    micro_batch: Annotated[int, Field(gt=0)] | None = None
    """Answers per forward and backward pass; None = all of a step at once. Must divide prompts_per_step x group."""
    lora: Lora | None = None
    """Train low-rank adapters; None = all weights."""
    trl: Annotated[dict[str, Any], AfterValidator(checked_table("GRPOConfig", OURS))] = {}
    """Further options of TRL's ``GRPOConfig`` by its own names."""

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        size = self.prompts_per_step * self.group
        if self.micro_batch is not None and size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide prompts_per_step x group = {size}")
        return self

    def train(self, stage: StageContext) -> StageResult:
        from .train import train

        return train(self, stage)

    def check_processes(self, processes: int) -> None:
        micro_batches(self.prompts_per_step * self.group, self.micro_batch, processes)

    def check_judge(self, judge: Judge, field: str) -> None:
        """Tell what is wrong with the policy's model, with questions of its own, and with a judge that is to rate answers one by one."""
        from .questions import check_questions, loaded, policy_model

        check_trl()
        policy_model(self.model, field)
        if isinstance(self.reward, JudgeReward):
            self.reward.check_judge(judge, f"{field}.reward")
        train, test = ([] if one is None else loaded(one) for one in (self.data, self.test))
        check_questions(self, train, test, field)

    def check_problems(self, problems: Sequence[Problem], field: str) -> None:
        """The same for a policy that learns from the run's own data."""
        if self.data is None:
            from .questions import check_questions, loaded

            check_questions(self, problems, [] if self.test is None else loaded(self.test), field)

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        """The optimiser steps; how many judgements matches take depends on how many answers of a group differ, and is unknown."""
        return Work(None if isinstance(self.reward, JudgeReward) or self.test else (0, 0), (self.steps, self.steps))

    def clean_up(self, stage: StageContext) -> None:
        from adjudge_trl import drop_checkpoints

        from .train import of_policy

        drop_checkpoints(of_policy(stage, stage.model))
