"""Fine-tuning on chosen paths: ReasonGRM's second stage, with any path scorer in the place of R⋆.

The paper: G paths per problem from the first stage's model, those that reach the right answer kept, the one with the highest R⋆
chosen, the model fine-tuned on it. It does not say G, nor whether fine-tuning starts from the first stage's model or from the
base: both are options here (`paths`, `start`). Also ours: `keep` may exceed one, and paths of the same text count once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adjudge import PathScorer, Stage, StageResult, StageTrainer, hookimpl


class Sft(StageTrainer):
    """Samples paths, keeps the right ones, lets a scorer rank them, fine-tunes on the best through TRL."""

    use: Literal["sft"] = "sft"
    scorer: PathScorer
    """Which of the right paths of a problem are best."""
    paths: Annotated[int, Field(gt=0)] = 8
    """G, paths sampled per problem."""
    keep: Annotated[int, Field(gt=0)] = 1
    """Best right paths kept per problem."""
    start: Literal["previous", "base"] = "previous"
    """Fine-tune the model that sampled the paths, or the run's first model."""
    epochs: Annotated[int, Field(gt=0)] = 1
    """Passes over the selected paths."""
    batch: Annotated[int, Field(gt=0)] = 32
    """Paths per optimiser step."""
    micro_batch: Annotated[int, Field(gt=0)] | None = None
    """Paths per forward and backward pass; None = all of a step at once. Must divide `batch`."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    """Peak learning rate of AdamW."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate goes on from its peak."""
    save_every: Annotated[int, Field(gt=0)] = 25
    """Steps between checkpoints; a stopped stage goes on from the last one."""

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch {self.batch}")
        return self

    def train(self, stage: Stage) -> StageResult:
        from .train import train

        return train(self, stage)


@hookimpl
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    return [Sft]
