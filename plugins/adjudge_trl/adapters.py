"""Loads a model for training, its weights as they are or in 4 bits, and saves it: whole, with adapters merged in, or adapters alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import torch

from adjudge import ConfigError, Stage
from adjudge.artifacts import model_below
from adjudge_engines import load_model, merge_adapter

from . import Lora

PEFT = "LoRA is trained through peft, which is not installed.\n  Remedy: pip install 'adjudge[peft]'."


def load(stage: Stage, start: FilePath, lora: Lora | None, table: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model in `start`, in float32 unless `model_init_kwargs` in the `trl:` table says otherwise, and peft's settings or None."""
    field = f"stages.{stage.index - 1}.lora"
    options = {"dtype": torch.float32, **(table.get("model_init_kwargs") or {})}
    if lora is None:
        return load_model(start, trust_remote_code=stage.trust_remote_code, **options), None
    if model_below(start) is not None and not lora.merge:
        raise ConfigError(
            f"{field}.merge: this stage starts from adapters, {start}, and adapters on top of them could be loaded by nothing else.\n"
            "  Remedy: merge here or in the stage before."
        )
    config = _peft_config(lora, field)
    if lora.quantised:
        own_gpu = {"": int(os.environ.get("LOCAL_RANK", "0"))}
        options |= {"dtype": torch.bfloat16, "quantization_config": _four_bits(field), "device_map": own_gpu}
    return load_model(start, trust_remote_code=stage.trust_remote_code, **options), config


def _peft_config(lora: Lora, field: str) -> Any:
    try:
        from peft import LoraConfig
    except ImportError:
        raise ConfigError(f"{field}: {PEFT}") from None
    return LoraConfig(r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.target_modules, task_type="CAUSAL_LM")


def _four_bits(field: str) -> Any:
    """Settings of transformers for QLoRA's 4 bits; `ConfigError` where this machine cannot do it."""
    from transformers import BitsAndBytesConfig
    from transformers.utils import is_bitsandbytes_available

    if not torch.cuda.is_available() or not is_bitsandbytes_available():
        lacks = "bitsandbytes, which is not installed" if torch.cuda.is_available() else "a GPU with CUDA, and torch finds none"
        raise ConfigError(f"{field}.quantised: weights in 4 bits take {lacks}.\n  Remedy: leave quantised out, or train on such a machine.")
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )


def save(trainer: Any, stage: Stage, start: FilePath, lora: Lora | None, table: Mapping[str, Any]) -> FilePath:
    """The trained model in the stage's folder, with tokenizer, chat template and ``judge.json``; every process has to call this."""
    folder = stage.folder / "model"
    if lora is None:
        trainer.save_model(str(folder))
    else:
        _save_adapters(trainer, stage, start, folder if not lora.merge else stage.folder / "adapter")
    if trainer.is_world_process_zero():
        if lora is not None and lora.merge:
            _merge(trainer, stage, start, lora, table)
        for pickled in folder.glob("training_args.bin"):
            pickled.unlink()
        stage.finish_model(folder)
    trainer.accelerator.wait_for_everyone()
    return folder


def _save_adapters(trainer: Any, stage: Stage, start: FilePath, folder: FilePath) -> None:
    """Adapters that name the folder of the model below by its whole path."""
    for config in trainer.accelerator.unwrap_model(trainer.model).peft_config.values():
        config.base_model_name_or_path = str((model_below(start) or start).resolve())
    trainer.save_model(str(folder))


def _merge(trainer: Any, stage: Stage, start: FilePath, lora: Lora, table: Mapping[str, Any]) -> None:
    """A whole model: the one below loaded once more, unquantised and unsharded, with the adapters added to its weights."""
    dtype = "auto" if lora.quantised else torch.float32
    options = {"dtype": dtype, **(table.get("model_init_kwargs") or {})}
    whole = merge_adapter(load_model(start, trust_remote_code=stage.trust_remote_code, **options), stage.folder / "adapter")
    whole.save_pretrained(stage.folder / "model")
    trainer.processing_class.save_pretrained(stage.folder / "model")
