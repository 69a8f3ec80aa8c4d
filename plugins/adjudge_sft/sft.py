"""Options of the stage trainer `sft`; the training itself is in `train`, what it needs of torch is imported there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adjudge import Eligibility, Judge, PathScorer, Problem, StageContext, StageResult, StageTrainer, Work, count_requests
from adjudge_eligibility import Label, check_orders
from adjudge_trl import Lora, check_trl, checked_table, micro_batches

OURS = {
    "max_steps": "write the stage's 'epochs'",
    "num_train_epochs": "write the stage's 'epochs'",
    "max_length": "paths are trained on as a whole",
    "packing": "a path is a row of its own, for packing cuts paths to one length",
    "completion_only_loss": "the prompt is left out of the loss in any case",
    "assistant_only_loss": "the prompt is left out of the loss in any case",
    "chat_template_path": "judges are asked with the model's own template, in training as elsewhere",
}
"""Options of TRL that this stage sets, beside those that every stage does."""


class Sft(StageTrainer):
    """Samples paths, keeps the eligible ones, lets a scorer rank them, fine-tunes on the best through TRL."""

    without_effect = frozenset({"save_every"})
    later = frozenset({"eligible"})
    use: Literal["sft"] = "sft"
    scorer: PathScorer
    """Which of the eligible paths of a problem are best."""
    eligible: Eligibility = Label()
    """Which paths may be chosen: those with the right verdict, or, without labels, those that something else speaks for."""
    paths: Annotated[int, Field(gt=0)] = 8
    """G, paths sampled per problem."""
    keep: Annotated[int, Field(gt=0)] = 1
    """Best eligible paths kept per problem."""
    rescore: bool = False
    """Hand the scorer log-probabilities that the sampling model takes of each finished path in one pass, in place of those that came
    with the sampled tokens. Where an engine samples without any, they are taken in either case."""
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
    lora: Lora | None = None
    """Train low-rank adapters; None = all weights."""
    trl: Annotated[dict[str, Any], AfterValidator(checked_table("SFTConfig", OURS))] = {}
    """Further options of TRL's ``SFTConfig`` by its own names, such as ``{gradient_checkpointing: true, pad_to_multiple_of: 8}``."""

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch {self.batch}")
        return self

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return self.eligible.needs_labels or self.scorer.needs_labels

    def train(self, stage: StageContext) -> StageResult:
        from .train import train

        return train(self, stage)

    def check_judge(self, judge: Judge, field: str) -> None:
        check_trl()
        check_orders(self.eligible, judge, f"{field}.eligible")

    def check_processes(self, processes: int) -> None:
        micro_batches(self.batch, self.micro_batch, processes)

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        """All paths; optimiser steps for one problem with an eligible path, up to `keep` chosen paths of every problem."""
        from adjudge_trl import training_load

        paths = count_requests(len(problems), judge, self.paths)
        chosen = min(paths, self.keep * len(problems))
        training = training_load(self.lora, self.trl, step=self.batch, sequences=(self.epochs, self.epochs * chosen), rows=self.micro_batch)
        return Work((paths, paths), (self.epochs, self.epochs * -(-chosen // self.batch)), training)

    def clean_up(self, stage: StageContext) -> None:
        from adjudge_trl import drop_checkpoints

        drop_checkpoints(stage)
        for file in stage.folder.glob("rows-*.arrow"):
            file.unlink()
