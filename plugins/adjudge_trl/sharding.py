"""What settings of FSDP and DeepSpeed shard over devices, whether accelerate, transformers or DeepSpeed itself is given them.

What they turn on besides and a plan of memory cannot count is named, so that nothing is refused or promised on a wrong count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias

Sharded: TypeAlias = Literal["nothing", "states", "everything"]
STRATEGIES = ("FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD", "HYBRID_SHARD", "HYBRID_SHARD_ZERO2")
"""FSDP's, in the order of the numbers that may stand for them, from 1 on."""
KINDS: dict[str, Sharded] = {
    "TRUE": "everything", "FALSE": "states", "FULL_SHARD": "everything", "SHARD_GRAD_OP": "states", "NO_SHARD": "nothing",
    "HYBRID_SHARD": "everything", "HYBRID_SHARD_ZERO2": "states",
}  # fmt: skip
"""What is sharded under each; true and false say whether weights are let go of after every layer."""
PARALLEL = ("tp_size", "cp_size", "sp_size")
"""Sizes in accelerate's ``parallelism_config`` of what is shared out in other ways than by rows."""
WHOLE = ("NO", "MULTI_GPU", "MULTI_CPU")
"""Values of ``distributed_type`` under which every device holds all."""


@dataclass(frozen=True, slots=True)
class Sharding:
    """What is sharded, and how."""

    kind: Sharded = "nothing"
    by_machine: bool = False
    """Whether every machine holds all of it."""
    offload: bool = False
    """Whether it is in the host's memory while no layer needs it."""
    each_batch: bool = False
    """Whether gradients are sharded after every micro-batch, whatever a trainer says."""
    checkpointing: bool = False
    """Whether activations are made again in the backward pass."""
    uncounted: tuple[str, ...] = ()
    """Settings that nobody counts, in words."""


def sharding_of_accelerate(config: Mapping[str, Any]) -> Sharding:
    """What a configuration of accelerate shards."""
    sections = {name: config.get(name) or {} for name in ("fsdp_config", "deepspeed_config", "parallelism_config")}
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            return Sharding(uncounted=(f"{name}, which is no mapping",))
    parallel = sections["parallelism_config"]
    sizes = {name: size for name in PARALLEL if (size := parallel.get(f"parallelism_config_{name}", parallel.get(name, 1))) not in (1, "1")}
    found, kind = Sharding(), str(config.get("distributed_type", "NO"))
    if kind == "FSDP":
        found = sharding_of_fsdp(sections["fsdp_config"])
    elif kind == "DEEPSPEED":
        found = sharding_of_deepspeed(_deepspeed(sections["deepspeed_config"]))
    elif kind not in WHOLE:
        found = Sharding(uncounted=(f"distributed_type {kind}",))
    others = tuple(f"parallelism_config's {name} {size}" for name, size in sizes.items())
    return replace(found, uncounted=found.uncounted + others)


def sharding_of_fsdp(options: Mapping[str, Any]) -> Sharding:
    """What FSDP shards under these options, whose names may begin with ``fsdp_``."""
    named = {name.removeprefix("fsdp_"): value for name, value in options.items()}
    told = named.get("sharding_strategy")
    strategy = str(named.get("reshard_after_forward", True) if told is None else told).upper()
    if strategy.isdigit() and 0 < int(strategy) <= len(STRATEGIES):
        strategy = STRATEGIES[int(strategy) - 1]
    on = [name for name in ("offload_params", "cpu_offload", "activation_checkpointing") if str(named.get(name)).lower() == "true"]
    checkpointing = "activation_checkpointing" in on
    if strategy not in KINDS:
        return Sharding(checkpointing=checkpointing, uncounted=(f"FSDP's strategy {strategy}",))
    return Sharding(KINDS[strategy], strategy.startswith("HYBRID"), len(on) > checkpointing, checkpointing=checkpointing)


def sharding_of_deepspeed(settings: Any) -> Sharding:
    """What DeepSpeed shards under its own settings: a mapping, or a JSON file of one."""
    if isinstance(settings, str | FilePath):
        try:
            settings = json.loads(FilePath(settings).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Sharding(uncounted=(f"DeepSpeed's settings in {settings}, which cannot be read",))
    if not isinstance(settings, Mapping) or not isinstance(zero := settings.get("zero_optimization") or {}, Mapping):
        return Sharding(uncounted=("DeepSpeed's settings, which are no mapping",))
    stage = zero.get("stage", 0)
    if stage not in range(4):
        return Sharding(uncounted=(f"DeepSpeed's stage {stage!r}",))
    away = [name for name in ("offload_param", "offload_optimizer") if _device(zero.get(name)) not in ("none", "None")]
    kind: Sharded = "everything" if stage == 3 else "states" if stage else "nothing"
    return Sharding(kind, each_batch=True, uncounted=tuple(f"DeepSpeed's {name}" for name in away))


def _device(offload: Any) -> str:
    """Where DeepSpeed puts something; without a section, nowhere."""
    return str(offload.get("device")) if isinstance(offload, Mapping) else "none" if offload is None else str(offload)


def _deepspeed(options: Mapping[str, Any]) -> Any:
    """DeepSpeed's own settings in accelerate's section for it: a file that is named there, or the few that accelerate passes on."""
    if (file := options.get("deepspeed_config_file")) is not None:
        return str(file)
    devices = {name: {"device": options.get(f"{name}_device", "none")} for name in ("offload_param", "offload_optimizer")}
    return {"zero_optimization": {"stage": options.get("zero_stage", 2), **devices}}
