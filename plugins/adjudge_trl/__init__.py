"""What trainers through TRL share: LoRA, the `trl:` table of TRL's own options, and a training that stops cleanly and can go on.

No hook is implemented here; `adjudge_grpo` and `adjudge_sft` are made of it, and so can be a trainer of your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import lazy_names

if TYPE_CHECKING:
    from .adapters import load, save, whole_start
    from .batches import micro_batches
    from .checkpoints import checkpoint_folder, drop_checkpoints, newest_checkpoint
    from .checks import check_machine
    from .finite import StopsWhenNotFinite
    from .foreign_options import check_foreign_options
    from .importing import check_trl
    from .lora import Lora
    from .memory import training_load
    from .prompts import check_chat_template, check_lengths
    from .sharding import Sharding, sharding_of_accelerate
    from .stopping import sigterm_put_off
    from .table import checked_table
    from .training import fit, give_back_memory, numbers, settings, start_trainer

__all__ = [
    "Lora", "Sharding", "StopsWhenNotFinite", "check_chat_template", "check_foreign_options", "check_lengths", "check_machine",
    "check_trl", "checked_table", "checkpoint_folder", "drop_checkpoints", "fit", "give_back_memory", "load", "micro_batches",
    "newest_checkpoint", "numbers", "save", "settings", "sharding_of_accelerate", "sigterm_put_off", "start_trainer", "training_load",
    "whole_start",
]  # fmt: skip

__getattr__ = lazy_names(__name__)
