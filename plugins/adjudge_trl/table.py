"""The `trl:` table of a stage: TRL's own options by their own names, checked before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .foreign_options import check_foreign_options

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
ENDS = ("eos_token_id", "stop_strings")
"""Settings of sampling that say where a completion ends."""


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
        if isinstance(more := table.get("generation_kwargs"), dict) and not more.keys().isdisjoint(ENDS):
            # trl 1.16 looks for the model's own ends alone
            raise ValueError(
                "generation_kwargs: TRL trains on the padding behind such ends; leave these out (a judge's ends are judge.stop)"
            )
        return check_foreign_options(table, settings, {**OURS, **ours})

    return check
