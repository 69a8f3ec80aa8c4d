"""Trains a stage's model through a trainer of TRL; what goes wrong becomes a `JobError`, and loses nothing."""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path as FilePath
from typing import Any, TypeVar

import torch
from datasets import disable_progress_bars
from transformers import PrinterCallback, TrainerCallback
from transformers.utils import logging

from adjudge import AdjudgeError, ConfigError, StageContext, stable_seed
from adjudge_engines import gains_by_bfloat16

from .adapters import LESS
from .checkpoints import checkpoint_folder
from .failures import as_job_error, one_cause
from .left_out import tell_left_out
from .lora import Lora
from .pickles import check_reader, read_as_data
from .stopping import sigterm_put_off
from .whole_weights import gathered_by_deepspeed

Made = TypeVar("Made")


def settings(stage: StageContext, table: Mapping[str, Any]) -> dict[str, Any]:
    """What every stage tells TRL, with the stage's own `trl:` table on top of it."""
    disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
    # What `load` takes is left out, and the rest copied: transformers writes into some of it, and a run file may name it for two stages.
    handed_on = deepcopy({name: value for name, value in table.items() if name != "model_init_kwargs"})
    return {
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": _in_bfloat16(stage.model),
        "gradient_checkpointing": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.accelerator.is_available(),
        **handed_on,
        "output_dir": str(checkpoint_folder(stage)),
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "trust_remote_code": stage.trust_remote_code,
        "seed": stable_seed("trl", stage.name, stage.seed) % 2**31,
    }


def _in_bfloat16(model: FilePath) -> bool:
    """Whether products are made in bfloat16, from weights that stay as precise as they are: on GPUs that can, and CPUs that gain by it."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return not torch.accelerator.is_available() and gains_by_bfloat16(model)


def start_trainer(stage: StageContext, make: Callable[[], Made], table: Mapping[str, Any]) -> Made:
    """What `make` makes of TRL's settings and trainers; what they say about values in the `trl:` table is a `ConfigError`.

    Raises `JobError` where memory, a disk or a server fails, which says nothing about the table.
    """
    try:
        with as_job_error(stage, "the model", LESS):
            return make()
    except AdjudgeError:
        raise
    except (ImportError, TypeError, ValueError, RuntimeError, OSError) as error:
        if not table:
            raise
        raise ConfigError(
            f"stages.{stage.index - 1}.trl: {type(error).__name__}: {error}\n  Remedy: mend these options; TRL's documentation has them."
        ) from error


def fit(trainer: Any, stage: StageContext, last: FilePath | None, lora: Lora | None = None) -> None:
    """Train, from this checkpoint where there is one. SIGTERM ends the step, saves a checkpoint, and stops.

    What `lora` leaves out of all linear layers is told.

    Raises `JobError` where memory or a disk is full, where a server is gone, or where the checkpoint cannot be used, and `ConfigError`
    where DeepSpeed is set to have its checkpoints read past torch, or an option asks for a package that is not installed.
    """
    remedy = "lower the stage's micro_batch, write trl: {gradient_checkpointing: true}, or train adapters: lora: {}."
    trainer.remove_callback(PrinterCallback)
    if lora is not None and lora.target_modules == "all-linear" and trainer.is_world_process_zero():
        tell_left_out(trainer.model, stage)
    check_reader(trainer)
    gathered_by_deepspeed(trainer)
    with sigterm_put_off() as asked, as_job_error(stage, "a training step", remedy), read_as_data(trainer, stage, last), one_cause():
        trainer.add_callback(StopsOnRequest(asked))
        try:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        except ImportError as error:
            raise ConfigError(
                f"stages.{stage.index - 1}.trl: {error}\n  Remedy: install what is named there, or leave out the option that asks for it."
            ) from error


def give_back_memory() -> None:
    """Let go of a training, and of the device's memory that it took; to be called once what held its trainer has returned.

    Model, trainer and optimiser refer to each other in circles, which Python takes apart when it happens to look, and torch keeps
    what they held for itself; an engine that opens next would find the device full.
    """
    gc.collect()
    torch.cuda.empty_cache()


class StopsOnRequest(TrainerCallback):  # type: ignore[misc]
    """Ends training after a step with a checkpoint; where several processes train, as soon as one of them was asked."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self.asked = asked

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if _anywhere(self.asked(), args):
            control.should_save = control.should_training_stop = True


def numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """What TRL logs about a step, for the step's record, without what is no finite number."""
    return {name: value for name, value in logs.items() if isinstance(value, int | float) and math.isfinite(value)}


def _anywhere(asked: bool, args: Any) -> bool:
    if args.world_size == 1:
        return asked
    flag = torch.tensor(float(asked), device=args.device)
    torch.distributed.all_reduce(flag)
    return bool(flag > 0)
