"""Loads a model for training, its weights as they are or in 4 bits, and saves it: whole, with adapters merged in, or adapters alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import torch
from transformers.integrations import unset_hf_deepspeed_config

from adjudge import ConfigError, JobError, StageContext
from adjudge_engines import gguf_file, load_model, load_tokenizer, merge_adapter, model_below

from .checkpoints import checkpoint_folder
from .checks import four_bits, peft_config
from .failures import AGAIN, as_job_error
from .lora import Lora
from .whole_weights import gathered_by_fsdp

LESS = "train adapters, lora: {}, or spread the model over several devices with launch.config_file."


def load(stage: StageContext, start: FilePath, lora: Lora | None, table: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model in `start`, in float32 unless `model_init_kwargs` in the `trl:` table says otherwise, and peft's settings or None."""
    options = _options(table, torch.float32)
    if lora is not None and lora.quantised:
        here = int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"
        four = four_bits(f"stages.{stage.index - 1}.lora")
        options |= {"dtype": torch.bfloat16, "quantization_config": four, "device_map": {"": here}}
    with as_job_error(stage, "the model", LESS):
        model = load_model(start, trust_remote_code=stage.trust_remote_code, **options)
    if lora is None:
        return model.requires_grad_(True), None  # peft has frozen what it merged adapters into
    return model, peft_config(lora, f"stages.{stage.index - 1}.lora")


def _options(table: Mapping[str, Any], dtype: Any) -> dict[str, Any]:
    return {"dtype": dtype, **(table.get("model_init_kwargs") or {})}


def whole_start(stage: StageContext, start: FilePath, table: Mapping[str, Any]) -> FilePath:
    """A folder with the whole of the model in `start`, for what is loaded by its folder's name, as TRL loads a reference model.

    Where `start` holds adapters or is a GGUF file it is a new one, written by the main process and let go of with the stage's checkpoints.
    """
    if model_below(start) is None and gguf_file(start) is None:
        return start
    folder = checkpoint_folder(stage) / "start"
    if stage.process_group.is_main_process:
        with as_job_error(stage, "the model", LESS):
            load_model(start, trust_remote_code=stage.trust_remote_code, **_options(table, torch.float32)).save_pretrained(folder)
            load_tokenizer(start, trust_remote_code=stage.trust_remote_code, chat=stage.engine).save_pretrained(folder)
    stage.process_group.barrier()
    return folder


def save(trainer: Any, stage: StageContext, start: FilePath, lora: Lora | None, table: Mapping[str, Any]) -> FilePath:
    """The trained model in the stage's folder, with tokenizer, chat template and ``judge.json``; every process has to call this.

    Raises `JobError` where it cannot be saved, or where what was saved is no model; checkpoints are left as they are.
    """
    folder = stage.folder / "model"
    saved = stage.folder / "adapter" if lora is not None and lora.merge else folder
    if trainer.is_world_process_zero():
        for left in (folder, saved):  # what a stopped run left there must not pass for what is saved now
            shutil.rmtree(left, ignore_errors=True)
    with as_job_error(stage, "the trained model", f"save it where there is more, {AGAIN}"):
        gathered_by_fsdp(trainer)
        if lora is not None:
            _name_below(trainer, start)
        trainer.save_model(str(saved))
        if trainer.is_world_process_zero():
            _check_saved(stage, saved)
            if lora is not None and lora.merge:
                _merge(trainer, stage, start, saved, _options(table, "auto" if lora.quantised else torch.float32))
                _check_saved(stage, folder)
            for pickled in folder.glob("training_args.bin"):
                pickled.unlink()
            stage.finish_model(folder)
    trainer.accelerator.wait_for_everyone()
    return folder


def _name_below(trainer: Any, start: FilePath) -> None:
    """Have the adapters name the folder of the model below by its whole path."""
    for config in trainer.accelerator.unwrap_model(trainer.model).peft_config.values():
        below = model_below(start) or start
        config.base_model_name_or_path = str(below.resolve() if below.is_dir() else below.absolute())  # a cache's file links to no .gguf


def _merge(trainer: Any, stage: StageContext, start: FilePath, adapter: FilePath, options: Mapping[str, Any]) -> None:
    """A whole model: the one below loaded once more, unquantised and unsharded, with the adapters added to its weights.

    The adapters go: where `start` holds some itself, they name a model below that is not the one they were trained on.
    """
    unset_hf_deepspeed_config()  # else ZeRO-3 would spread what is loaded over processes of which only this one is here
    whole = merge_adapter(load_model(start, trust_remote_code=stage.trust_remote_code, **options), adapter)
    whole.save_pretrained(stage.folder / "model")
    trainer.processing_class.save_pretrained(stage.folder / "model")
    shutil.rmtree(adapter)


def _check_saved(stage: StageContext, folder: FilePath) -> None:
    """Raise `JobError` where the folder is not that of a model, so that nobody lets go of the checkpoints."""
    try:
        load_tokenizer(folder, trust_remote_code=stage.trust_remote_code)
    except ConfigError as error:
        reason = str(error).partition("\n")[0].removeprefix("model: ")
        raise JobError(
            f"stage {stage.name}: training is done, but what it saved is no model: {reason}\n"
            "  Remedy: see how launch.config_file or the trl table has weights saved, and run again;"
            f" the checkpoints in {checkpoint_folder(stage)} are kept."
        ) from error
