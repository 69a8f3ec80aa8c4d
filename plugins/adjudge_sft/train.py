"""One fine-tuning stage, top to bottom: choose the paths, let TRL fine-tune on exactly the tokens that were sampled, save the judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from datasets import Dataset as Rows
from transformers import TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from adjudge import ReasoningPath, RecordFile, StageContext, StageResult, escape_special_tokens, stable_seed
from adjudge_engines import load_tokenizer
from adjudge_trl import (
    StopsWhenNotFinite,
    check_chat_template,
    check_machine,
    fit,
    give_back_memory,
    load,
    micro_batches,
    newest_checkpoint,
    numbers,
    save,
    settings,
    start_trainer,
)  # fmt: skip

from .select import select

if TYPE_CHECKING:
    from .sft import Sft

IGNORED = -100


def train(options: Sft, stage: StageContext) -> StageResult:
    start = stage.base if options.start == "base" else stage.model
    check_machine(stage, start, options.lora, options.trl)
    tokenizer = load_tokenizer(start, trust_remote_code=stage.trust_remote_code, chat=stage.engine)
    check_chat_template(stage, tokenizer)
    chosen, metrics = select(options, stage)
    model = fine_tune(options, stage, start, tokenizer, chosen)
    give_back_memory()
    return StageResult(model, metrics)


def fine_tune(options: Sft, stage: StageContext, start: FilePath, tokenizer: Any, chosen: Sequence[ReasoningPath]) -> FilePath:
    """Fine-tune these weights on these paths, from the last checkpoint where there is one; returns the model's folder."""
    last, done = newest_checkpoint(stage)
    set_seed(stable_seed("sft", stage.name, stage.seed) % 2**32)
    total = options.epochs * -(-len(chosen) // options.batch)
    steps = stage.records("steps", total)
    steps.keep(lambda record: record["step"] <= done)
    rows = rows_of(chosen, stage, tokenizer)
    if stage.process_group.size > 1:
        rows = whole_steps(rows, options.batch)
    model, adapters = load(stage, start, options.lora, options.trl)

    def make() -> FiniteSFTTrainer:
        return FiniteSFTTrainer(
            model=model,
            processing_class=tokenizer,
            train_dataset=rows,
            args=trl_config(options, stage),
            callbacks=[LossRecorder(steps, total)],
            peft_config=adapters,
        )

    trainer = start_trainer(stage, make, options.trl)
    trainer.stage = stage
    fit(trainer, stage, last)
    return save(trainer, stage, start, options.lora, options.trl)


class FiniteSFTTrainer(StopsWhenNotFinite, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, which stops where the loss is no number."""


def rows_of(chosen: Sequence[ReasoningPath], stage: StageContext, tokenizer: Any) -> Rows:
    """Prompt tokens, left out of the loss, and the path's own tokens; only an engine without tokens has its text tokenised."""
    by_id = {problem.id: problem for problem in stage.problems}
    rows = []
    for path in chosen:
        messages = escape_special_tokens(stage.judge.render(by_id[path.problem_id], path.order), tokenizer)
        prompt = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
        sampled = list(path.completion.token_ids)
        sampled = sampled or [*tokenizer(path.completion.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        rows.append({"input_ids": prompt + sampled, "labels": [IGNORED] * len(prompt) + sampled})
    return Rows.from_list(rows)


def whole_steps(rows: Rows, batch: int) -> Rows:
    """The rows, and behind them some that teach nothing up to a whole number of steps.

    Processes take turns in taking batches; where these do not come out even, accelerate would hand out some rows a second time.
    """
    idle = {"input_ids": rows[0]["input_ids"], "labels": [IGNORED] * len(rows[0]["input_ids"])}
    return Rows.from_list([*rows, *[idle] * (-len(rows) % batch)])


def trl_config(options: Sft, stage: StageContext) -> SFTConfig:
    micro, count = micro_batches(options.batch, options.micro_batch, stage.process_group.size)
    return SFTConfig(
        **settings(stage, options.trl),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=count,
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        max_length=None,
        save_steps=options.save_every,
    )


class LossRecorder(TrainerCallback):  # type: ignore[misc]
    """Writes one record per optimiser step, with its loss."""

    def __init__(self, steps: RecordFile, total: int) -> None:
        self.steps, self.total = steps, total

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            step = state.global_step
            self.steps.append({"id": f"step-{step}", "step": step, "total": self.total, "loss": logs["loss"], "logged": numbers(logs)})
