"""One fine-tuning stage, top to bottom: choose the paths, let TRL fine-tune on exactly the tokens that were sampled, save the judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from datasets import Dataset as Rows
from datasets import Features, Value
from datasets import Sequence as ListOf
from datasets.arrow_writer import ArrowWriter
from transformers import TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from adjudge import Problem, ReasoningPath, RecordFile, StageContext, StageResult, escape_special_tokens, stable_seed
from adjudge_data import ById
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
AT_ONCE = 32
"""Rows that are held until they are written; each may have tens of thousands of tokens."""
FEATURES = Features({"input_ids": ListOf(Value("int32")), "labels": ListOf(Value("int32"))})


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
    rows = rows_of(chosen, stage, tokenizer, options.batch if stage.process_group.size > 1 else None)
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
    fit(trainer, stage, last, options.lora)
    return save(trainer, stage, start, options.lora, options.trl)


class FiniteSFTTrainer(StopsWhenNotFinite, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, which stops where the loss is no number."""


def rows_of(chosen: Sequence[ReasoningPath], stage: StageContext, tokenizer: Any, batch: int | None = None) -> Rows:
    """Prompt tokens, left out of the loss, and the path's own tokens, in a file mapped into memory: no step holds all paths.

    Only an engine without tokens has its text tokenised. Up to a whole number of steps of `batch` rows, rows follow that teach nothing:
    processes take turns in taking batches, and where these do not come out even, accelerate would hand out some rows a second time.
    """
    file = stage.folder / f"rows-{stage.process_group.rank}.arrow"
    file.parent.mkdir(parents=True, exist_ok=True)
    by_id = ById(stage.problems)
    with ArrowWriter(path=str(file), features=FEATURES, writer_batch_size=AT_ONCE) as writer:
        for path in chosen:
            row = _row_of(by_id[path.problem_id], path, stage, tokenizer)
            writer.write(row)
        idle = {"input_ids": row["input_ids"], "labels": [IGNORED] * len(row["input_ids"])}
        for _ in range(0 if batch is None else -len(chosen) % batch):
            writer.write(idle)
        writer.finalize()
    return Rows.from_file(str(file))


def _row_of(problem: Problem, path: ReasoningPath, stage: StageContext, tokenizer: Any) -> dict[str, list[int]]:
    messages = escape_special_tokens(stage.judge.render(problem, path.order), tokenizer)
    prompt = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
    sampled = list(path.completion.token_ids)
    sampled = sampled or [*tokenizer(path.completion.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return {"input_ids": prompt + sampled, "labels": [IGNORED] * len(prompt) + sampled}


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
