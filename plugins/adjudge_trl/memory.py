"""What a training through TRL holds in a device's memory, read from a stage's options alone; TRL is not imported for it.

GRPO's and supervised fine-tuning's heads work in tiles, so no whole matrix of logits is ever held. DeepSpeed and FSDP that are set in
the run's `launch` are core's to know; those of the `trl:` table are told here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal

from adjudge import Sampling, Training

if TYPE_CHECKING:
    from . import Lora

PRECISIONS = {"bfloat16": 2.0, "float16": 2.0}
FOUR_BITS = 0.52
"""Bytes of a weight in NF4, with its doubly quantised scales."""


def held(
    lora: Lora | None,
    table: Mapping[str, Any],
    *,
    step: int,
    sequences: tuple[int, int],
    rows: int | None,
    reference: bool = False,
    samples: bool = False,
) -> Training:
    """The counts of a stage with these adapters and this `trl:` table; `samples`: it trains on what it samples itself."""
    dtype = str((table.get("model_init_kwargs") or {}).get("dtype"))
    return Training(
        step,
        sequences,
        rows,
        weight_bytes=FOUR_BITS if lora and lora.quantised else PRECISIONS.get(dtype, 4.0),
        rank=lora.r if lora else 0,
        targets=tuple(lora.target_modules) if lora and isinstance(lora.target_modules, list) else (),
        reference=reference and lora is None,
        checkpointing=bool(table.get("gradient_checkpointing")),
        spread=_spread(table),
        rollouts=_rollouts(table) if samples else "none",
    )


def _rollouts(table: Mapping[str, Any]) -> Sampling | Literal["model", "elsewhere"]:
    """Who samples: the model in training, unless vLLM does, beside it or as a server."""
    if not table.get("use_vllm"):
        return "model"
    if table.get("vllm_mode") == "server":
        return "elsewhere"
    return Sampling(
        0,
        spread=table.get("vllm_tensor_parallel_size", 1),
        share=table.get("vllm_gpu_memory_utilization", 0.3),
        sleeps=bool(table.get("vllm_enable_sleep_mode")),
    )


def _spread(table: Mapping[str, Any]) -> Literal["nothing", "states", "everything"]:
    """What FSDP or DeepSpeed spread over the devices, where the table asks for them."""
    if table.get("fsdp"):
        return "states" if "shard_grad_op" in str(table["fsdp"]) else "everything"
    settings = table.get("deepspeed")
    if isinstance(settings, str) and FilePath(settings).is_file():
        settings = json.loads(FilePath(settings).read_text(encoding="utf-8"))
    stage = settings.get("zero_optimization", {}).get("stage", 0) if isinstance(settings, dict) else 0
    return "everything" if stage == 3 else "states" if stage else "nothing"
