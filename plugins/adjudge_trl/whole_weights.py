"""Has DeepSpeed and FSDP hand over whole weights at the end of a training, however they shard and checkpoint them until then."""

from __future__ import annotations

from typing import Any


def deepspeeds_settings(trainer: Any) -> dict[str, Any]:
    """DeepSpeed's own configuration; empty where something else trains."""
    found: dict[str, Any] = trainer.accelerator.state.deepspeed_plugin.deepspeed_config if trainer.is_deepspeed_enabled else {}
    return found


def gathered_by_deepspeed(trainer: Any) -> None:
    """To be called before training starts, when ZeRO-3's engine reads it: else it saves its own files, and no model."""
    zero = deepspeeds_settings(trainer).get("zero_optimization", {})
    if zero.get("stage") == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True


def gathered_by_fsdp(trainer: Any) -> None:
    """To be called after training: checkpoints may be sharded, but of a sharded model the trainer would save nothing at all."""
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
