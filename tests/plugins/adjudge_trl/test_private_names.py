"""Names that TRL, transformers and accelerate promise to nobody, and that we use: each is there, and does what we take it for.

Where one moves, tests of stages fail as well, but do not say why. What to do: adapt the code that the failing test names, then
raise the upper bound of that package in pyproject.toml.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin
from transformers import Trainer
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput


def text_of(function: Any) -> str:
    return inspect.getsource(function)


def parameters_of(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_generate_and_score_completions_makes_the_batch_that_steps_are_taken_on() -> None:
    """adjudge_grpo.train.SkippingGRPOTrainer takes groups out of what it returns."""
    assert parameters_of(GRPOTrainer._generate_and_score_completions) == ["self", "inputs"]
    assert "self._generate_and_score_completions(" in text_of(GRPOTrainer._prepare_inputs)


@pytest.mark.parametrize("key", ["completion_mask", "num_items_in_batch"])
def test_the_loss_is_taken_from_what_the_batch_holds_under_this_key(key: str) -> None:
    """adjudge_grpo.train.SkippingGRPOTrainer changes both."""
    assert f'"{key}": {key}' in text_of(GRPOTrainer._generate_and_score_completions)
    assert f'inputs["{key}"]' in text_of(GRPOTrainer._compute_loss)


def test_a_step_is_shuffled_into_micro_batches_that_are_kept_under_this_name() -> None:
    """adjudge_grpo.train.SkippingGRPOTrainer sorts them by `prompt_ids` and `prompt_mask`, and gives the one of the step's number."""
    text = text_of(GRPOTrainer._prepare_inputs)
    assert "self._buffered_inputs = [" in text
    assert "inputs = self._buffered_inputs[self._step % self.args.steps_per_generation]" in text
    assert '"prompt_ids": prompt_ids' in (made := text_of(GRPOTrainer._generate_and_score_completions))
    assert '"prompt_mask": prompt_mask' in made


@pytest.mark.parametrize("name", ["aux_loss_enabled", "eos_token_ids", "ref_model", "temperature"])
def test_a_grpo_trainer_has_this_attribute_from_the_start(name: str) -> None:
    """adjudge_grpo.head and adjudge_grpo.train read them."""
    assert f"self.{name} = " in text_of(GRPOTrainer.__init__)


def test_rollouts_are_sampled_and_scored_by_methods_of_these_names() -> None:
    """adjudge_grpo.sampled_rollouts and adjudge_grpo.scored_rows stand in their place."""
    assert parameters_of(GRPOTrainer._generate_single_turn)[:2] == ["self", "prompt_ids"]
    assert "return completion_ids, logprobs" in text_of(GRPOTrainer._generate_single_turn)
    scored = parameters_of(GRPOTrainer._get_per_token_logps_and_entropies)
    assert scored[:5] == ["self", "model", "input_ids", "attention_mask", "logits_to_keep"]
    assert "return logps, entropies, aux_loss" in text_of(GRPOTrainer._get_per_token_logps_and_entropies)


def test_log_probabilities_are_asked_for_by_fused_lm_head() -> None:
    """adjudge_grpo.head answers that call."""
    assert "labels=labels, fused_lm_head=True" in text_of(GRPOTrainer)
    assert {"log_probs", "entropy"} <= set(FusedCausalLMOutput.__dataclass_fields__)


@pytest.mark.parametrize("name", ["completions", "completion_ids", "trainer_state"])
def test_a_reward_function_is_given_this_argument(name: str) -> None:
    """adjudge_grpo.rollouts.RolloutRewards takes it by name."""
    assert name in text_of(GRPOTrainer._calculate_rewards)


@pytest.mark.parametrize("trainer", [GRPOTrainer, SFTTrainer])
def test_compute_loss_takes_the_model_and_its_inputs_first(trainer: type[Trainer]) -> None:
    """adjudge_trl.finite.StopsWhenNotFinite stands before it."""
    assert parameters_of(trainer.compute_loss)[:3] == ["self", "model", "inputs"]


def test_get_grad_norm_is_asked_before_every_step() -> None:
    """adjudge_trl.finite.StopsWhenNotFinite looks at what it returns, before the weights are changed."""
    assert parameters_of(Trainer._get_grad_norm)[:2] == ["self", "model"]
    [caller] = [
        text_of(method) for _, method in inspect.getmembers(Trainer, inspect.isfunction) if "self._get_grad_norm(" in text_of(method)
    ]
    assert caller.index("self._get_grad_norm(") < caller.index("self.optimizer.step()")


@pytest.mark.parametrize("name", ["is_deepspeed_enabled", "is_fsdp_enabled"])
def test_a_trainer_knows_what_shards_its_weights(name: str) -> None:
    """adjudge_trl.whole_weights and adjudge_trl.pickles read it."""
    assert f"self.{name} = " in text_of(Trainer)


def test_deepspeed_is_forgotten_by_unset_hf_deepspeed_config() -> None:
    """adjudge_trl.adapters calls it before it merges adapters."""
    assert parameters_of(import_module("transformers.integrations").unset_hf_deepspeed_config) == []


@pytest.mark.parametrize("name", ["scaler", "state"])
def test_an_accelerator_has_this_attribute(name: str) -> None:
    """adjudge_trl.finite leaves overflows to the scaler; adjudge_trl.whole_weights finds FSDP's and DeepSpeed's plugin in the state."""
    assert f"self.{name} = " in text_of(Accelerator.__init__)


def test_fsdp_is_told_how_to_save_by_set_state_dict_type() -> None:
    """adjudge_trl.whole_weights has it save whole weights."""
    assert "state_dict_type" in parameters_of(FullyShardedDataParallelPlugin.set_state_dict_type)


@pytest.mark.parametrize("config", [GRPOConfig, SFTConfig])
def test_every_option_that_a_stage_sets_or_refuses_is_one_of_trls(config: type) -> None:
    """adjudge_trl.table.OURS names them, beside those of each stage."""
    from adjudge_grpo import grpo
    from adjudge_sft import sft
    from adjudge_trl.table import OURS

    ours = {**OURS, **(grpo if config is GRPOConfig else sft).OURS}
    assert ours.keys() - {field.name for field in config.__dataclass_fields__.values()} == set()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("torch.distributed.checkpoint.metadata", ["_MEM_FORMAT_ENCODING"]),
        ("torch.distributed.checkpoint.filesystem", ["_StorageInfo"]),
        ("torch.serialization", ["_get_layout"]),
    ],
)
def test_a_table_of_contents_of_shards_is_made_of_torchs_own_classes(module: str, names: list[str]) -> None:
    """adjudge_trl.pickles names them in OF_CONTENTS."""
    assert all(hasattr(import_module(module), name) for name in names)
