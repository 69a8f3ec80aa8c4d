"""What this machine or this start cannot train, told before anything is sampled for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import torch

from adjudge import ConfigError, StageContext
from adjudge_engines import model_below

from .lora import Lora

PEFT = "LoRA is trained through peft, which is not installed.\n  Remedy: pip install 'adjudge[peft]'."


def check_machine(stage: StageContext, start: FilePath, lora: Lora | None, table: Mapping[str, Any]) -> None:
    """Raise `ConfigError` where the model in `start` cannot be trained like this here; to be called before a stage samples anything."""
    _check_gpus(table)
    if lora is None:
        return
    field = f"stages.{stage.index - 1}.lora"
    if model_below(start) is not None and not lora.merge:
        raise ConfigError(
            f"{field}.merge: this stage starts from adapters, {start}, and adapters on top of them could be loaded by nothing else.\n"
            "  Remedy: merge here or in the stage before."
        )
    peft_config(lora, field)
    if lora.quantised:
        four_bits(field)


def _check_gpus(table: Mapping[str, Any]) -> None:
    """TRL trains on several GPUs only with a process for each, or with the model's layers spread over them, and says so late."""
    launched = int(os.environ.get("LOCAL_RANK", "-1")) != -1
    by_layers = "device_map" in (table.get("model_init_kwargs") or {})
    if (gpus := torch.cuda.device_count()) > 1 and not (launched or by_layers or table.get("use_cpu")):
        raise ConfigError(
            f"launch: this one process sees {gpus} GPUs, and TRL trains on several only with a process for each.\n"
            f"  Remedy: write launch: {{processes: {gpus}}}, or show it one of them: CUDA_VISIBLE_DEVICES=0."
        )


def peft_config(lora: Lora, field: str) -> Any:
    """Settings of peft; `ConfigError` where it is not installed."""
    try:
        from peft import LoraConfig
    except ImportError:
        raise ConfigError(f"{field}: {PEFT}") from None
    return LoraConfig(r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.target_modules, task_type="CAUSAL_LM")


def four_bits(field: str) -> Any:
    """Settings of transformers for QLoRA's 4 bits; `ConfigError` where bitsandbytes, which makes them, is not installed."""
    from transformers import BitsAndBytesConfig
    from transformers.utils import is_bitsandbytes_available

    if not is_bitsandbytes_available():
        raise ConfigError(
            f"{field}.quantised: weights in 4 bits take bitsandbytes, which is not installed.\n"
            "  Remedy: pip install 'adjudge[qlora]', or leave quantised out."
        )
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )
