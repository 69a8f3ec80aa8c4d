"""What trainers through TRL share: LoRA, the `trl:` table of TRL's own options, and a training that stops cleanly and can go on.

No hook is implemented here; `adjudge_grpo` and `adjudge_sft` are made of it, and so can be a trainer of your own. LoRA is 2106.09685 and
QLoRA 2305.14314; which matrices get adapters and how they start is left to peft.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from adjudge.components import Options
from adjudge.passed_on import check_passed_on

from .memory import held

if TYPE_CHECKING:
    from .training import (
        Watched,
        check_machine,
        fit,
        give_back_memory,
        load,
        numbers,
        save,
        settings,
        start_trainer,
        whole_start,
    )

__all__ = [
    "Lora",
    "Watched",
    "check_machine",
    "checked_table",
    "fit",
    "give_back_memory",
    "held",
    "load",
    "numbers",
    "save",
    "settings",
    "start_trainer",
    "whole_start",
]

OURS = {
    "output_dir": "write 'out' in the run file",
    "seed": "write 'seed' in the run file",
    "data_seed": "write 'seed' in the run file",
    "learning_rate": "write the stage's 'learning_rate'",
    "lr_scheduler_type": "write the stage's 'schedule'",
    "per_device_train_batch_size": "write the stage's 'micro_batch'",
    "gradient_accumulation_steps": "write the stage's 'micro_batch'",
    "auto_find_batch_size": "write the stage's 'micro_batch'",
    "save_steps": "write the stage's 'save_every'",
    "save_strategy": "write the stage's 'save_every'",
    "save_total_limit": "the last two checkpoints are kept, should one be torn",
    "save_only_model": "a stopped stage goes on from a checkpoint, which takes all of it",
    "enable_jit_checkpoint": "SIGTERM saves a checkpoint in any case",
    "resume_from_checkpoint": "the same command goes on from the last checkpoint",
    "ignore_data_skip": "the same command goes on from the last checkpoint",
    "logging_steps": "every step is recorded",
    "logging_strategy": "every step is recorded",
    "logging_nan_inf_filter": "a loss that is not finite stops the stage",
    "eval_strategy": "write 'evaluation' in the run file",
    "do_eval": "write 'evaluation' in the run file",
    "load_best_model_at_end": "write 'evaluation' in the run file",
    "remove_unused_columns": "the stage chooses its columns",
    "trust_remote_code": "write engine: {trust_remote_code: true}",
    "hub_token": "set HF_TOKEN in the environment, for a run file is kept and shared",
}
"""TRL's options that no stage passes on, with what to write or to know in their place."""


class Lora(Options):
    """Low-rank adapters are trained in the place of the model's own weights, through peft."""

    r: Annotated[int, Field(gt=0)] = 16
    """Rank of an adapter."""
    alpha: Annotated[float, Field(gt=0)] = 32.0
    """Scale: an adapter's output is multiplied by alpha / r."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an adapter's inputs that are left out in training."""
    target_modules: str | list[str] = "all-linear"
    """Which modules get adapters, by the ends of their names, or as a pattern; ``all-linear`` = every linear layer but the head."""
    quantised: bool = False
    """QLoRA: the model's own weights are held in 4 bits (NF4) while adapters are trained; takes bitsandbytes."""
    merge: bool = True
    """Add the adapters to the model's weights at the end, so that the stage's model is a whole one; else it is a folder with adapters
    that names the folder of the model below."""


def checked_table(config: str, ours: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Validates a stage's `trl:` table against the class of this name in the installed TRL: ``AfterValidator(checked_table(...))``.

    `ours` are the options that this stage sets itself, beside those that all do.
    """

    def settings() -> type:
        import trl

        found: type = getattr(trl, config)
        return found

    def check(table: dict[str, Any]) -> dict[str, Any]:
        if isinstance(table.get("model_init_kwargs"), str):  # TRL's own command line takes text there
            raise ValueError("model_init_kwargs: write a mapping, for example {dtype: bfloat16}")
        return check_passed_on(table, settings, {**OURS, **ours})

    return check


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import training

    return getattr(training, name)
