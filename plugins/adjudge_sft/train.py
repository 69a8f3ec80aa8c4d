"""One fine-tuning stage, top to bottom: choose the paths, let TRL fine-tune on exactly the tokens that were sampled, save the judge."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset as Rows
from datasets import disable_progress_bars
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback, set_seed
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

from adjudge import Path, Stage, StageResult, defused, stable_seed
from adjudge.rundir import Records

from .select import select

if TYPE_CHECKING:
    from . import Sft

IGNORED = -100


def train(options: Sft, stage: Stage) -> StageResult:
    start = stage.base if options.start == "base" else stage.model
    tokenizer = AutoTokenizer.from_pretrained(start)
    stage.check_chat_template(tokenizer)
    chosen, metrics = select(options, stage)
    return StageResult(fine_tune(options, stage, start, tokenizer, chosen), metrics)


def fine_tune(options: Sft, stage: Stage, start: FilePath, tokenizer: Any, chosen: Sequence[Path]) -> FilePath:
    """Fine-tune these weights on these paths, from the last checkpoint where there is one; returns the model's folder."""
    last, done = stage.newest_checkpoint()
    set_seed(stable_seed("sft", stage.name, stage.seed) % 2**32)
    total = options.epochs * -(-len(chosen) // options.batch)
    steps = stage.records("steps", total)
    steps.keep(lambda record: record["step"] <= done)
    args = trl_config(options, stage)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32),
        processing_class=tokenizer,
        train_dataset=rows_of(chosen, stage, tokenizer),
        args=args,
        callbacks=[StepRecorder(steps, total)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    folder = stage.folder / "model"
    trainer.save_model(str(folder))
    return stage.finish_model(folder)


def rows_of(chosen: Sequence[Path], stage: Stage, tokenizer: Any) -> Rows:
    """Prompt tokens, left out of the loss, and the path's own tokens; only an engine without tokens has its text tokenised."""
    by_id = {problem.id: problem for problem in stage.problems}
    rows = []
    for path in chosen:
        messages = defused(stage.judge.prompt(by_id[path.problem_id], path.order), tokenizer)
        prompt = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
        sampled = list(path.completion.token_ids)
        sampled = sampled or [*tokenizer(path.completion.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        rows.append({"input_ids": prompt + sampled, "labels": [IGNORED] * len(prompt) + sampled})
    return Rows.from_list(rows)


def trl_config(options: Sft, stage: Stage) -> SFTConfig:
    disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
    micro = options.micro_batch or options.batch
    return SFTConfig(
        output_dir=str(stage.checkpoints),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=options.batch // micro,
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        max_length=None,
        save_steps=options.save_every,
        save_total_limit=2,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        gradient_checkpointing=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=stable_seed("trl", stage.name, stage.seed) % 2**31,
    )


class StepRecorder(TrainerCallback):  # type: ignore[misc]
    """Writes one record per optimiser step."""

    def __init__(self, steps: Records, total: int) -> None:
        self.steps, self.total = steps, total

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            step = state.global_step
            self.steps.append({"id": f"step-{step}", "step": step, "total": self.total, "loss": logs["loss"]})
