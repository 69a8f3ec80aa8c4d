"""What a training through TRL holds in a device's memory, read from a stage's options alone; TRL is not imported for it.

GRPO's and supervised fine-tuning's heads work in tiles, so no whole matrix of logits is ever held. DeepSpeed and FSDP that are set in
the run's `launch` are `adjudge_plan`'s to know; those of the `trl:` table are told here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal

from adjudge_plan import Sampling, Training

from .sharding import STRATEGIES, Sharding, sharding_of_deepspeed, sharding_of_fsdp

if TYPE_CHECKING:
    from .lora import Lora

PRECISIONS = {"bfloat16": 2.0, "float16": 2.0}
FOUR_BITS = 0.52
"""Bytes of a weight in NF4, with its doubly quantised scales."""
MOMENTS: dict[str, float | None] = {"adamw_torch": None, "adamw_torch_fused": None, "adamw_8bit": 1.0, "adamw_bnb_8bit": 1.0}
"""Bytes of a moment under the values of `optim` that are counted; None = as precise as the weight."""
UNCOUNTED = ("activation_offloading", "use_liger_kernel")
"""Switches of TRL that lower what a step holds by an amount that nobody counts."""


def training_load(
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
    loading = table.get("model_init_kwargs") or {}
    in_bytes, sharding = PRECISIONS.get(str(loading.get("dtype")), 4.0), _sharding(table)
    below = lora is not None and (lora.quantised or not lora.merge)  # then the model below is stored as it was
    return Training(
        step,
        sequences,
        rows,
        weight_bytes=FOUR_BITS if lora and lora.quantised else in_bytes,
        rank=lora.r if lora else 0,
        targets=tuple(lora.target_modules) if lora and isinstance(lora.target_modules, list) else (),
        reference=reference and lora is None,
        passes=reference + (samples and _asks_again(table)),
        checkpointing=bool(table.get("gradient_checkpointing")) or sharding.checkpointing,
        moment_bytes=MOMENTS.get(_optimiser(table)),
        saved_bytes=None if below else in_bytes,
        sharded=sharding.kind,
        defers=not (sharding.each_batch or _syncs_each_batch(table)),
        offload=sharding.offload,
        rollouts=_rollouts(table) if samples else "none",
        uncounted=(*_uncounted(table, loading), *sharding.uncounted),
    )


def _asks_again(table: Mapping[str, Any]) -> bool:
    """Whether TRL takes the log-probabilities of what was sampled once more before it trains.

    It does where vLLM sampled, to correct for what that computes otherwise, and where a batch serves several steps. Micro-batches are no
    reason, for a step's rollouts are all sampled before its first.
    """
    corrected = table.get("use_vllm") and table.get("vllm_importance_sampling_correction", True)
    return bool(corrected) or table.get("num_iterations", 1) > 1


def _syncs_each_batch(table: Mapping[str, Any]) -> bool:
    """Whether transformers' trainer is told to shard the gradients of every micro-batch at once."""
    settings = table.get("accelerator_config")
    told = settings.get("gradient_accumulation_kwargs") if isinstance(settings, Mapping) else None
    return bool((told or {}).get("sync_each_batch"))


def _optimiser(table: Mapping[str, Any]) -> str:
    told = table.get("optim") or "adamw_torch"
    return str(getattr(told, "value", told))


def _uncounted(table: Mapping[str, Any], loading: Mapping[str, Any]) -> list[str]:
    """Options of the table that change what is held by an amount that nobody counts."""
    found = [f"trl.{name}" for name in UNCOUNTED if table.get(name)]
    if _optimiser(table) not in MOMENTS:
        found.append(f"trl.optim {_optimiser(table)}")
    return found + [f"trl.model_init_kwargs.{name}" for name in ("quantization_config", "device_map") if loading.get(name)]


def _rollouts(table: Mapping[str, Any]) -> Sampling | Literal["model", "elsewhere"]:
    """Who samples: the model in training, unless vLLM does, beside it or as a server."""
    if not table.get("use_vllm"):
        return "model"
    if table.get("vllm_mode") == "server":
        return "elsewhere"
    longest = table.get("vllm_max_model_length")
    return Sampling(
        longest or 0,
        tensor_parallel=table.get("vllm_tensor_parallel_size", 1),
        memory_share=table.get("vllm_gpu_memory_utilization", 0.3),
        sleeps=bool(table.get("vllm_enable_sleep_mode")),
        own_limit=longest is None,
    )


def _sharding(table: Mapping[str, Any]) -> Sharding:
    """What FSDP or DeepSpeed shard over the devices, where the table asks for them."""
    if table.get("deepspeed"):
        return sharding_of_deepspeed(table["deepspeed"])
    if not table.get("fsdp"):
        return Sharding()
    options = table.get("fsdp_config") or {}
    if isinstance(options, str):
        try:
            options = json.loads(FilePath(options).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Sharding(uncounted=(f"trl.fsdp_config {options}, which cannot be read",))
    words = re.findall(r"\w+", str(table["fsdp"]).upper())
    said = {"cpu_offload": "OFFLOAD" in words, "reshard_after_forward": next((word for word in words if word in STRATEGIES), True)}
    found = sharding_of_fsdp({**said, **options})
    if found.by_machine:  # how many machines there are is not said here
        return Sharding(uncounted=("trl.fsdp hybrid_shard",))
    return found
