"""What a stage's options mean for memory; and what a backward pass keeps of a real model lies between the least and the most."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from trl import GRPOConfig, SFTConfig

from adjudge import Judge, Plugins, StageTrainer
from adjudge_plan import Sampling, Training
from adjudge_plan.memory import training
from adjudge_plan.model_size import model_size_of
from adjudge_trl import Lora, training_load

TOKENS = 256


def load_of(lora: Lora | None = None, table: dict[str, Any] | None = None, **more: Any) -> Training:
    return training_load(lora, table or {}, step=8, sequences=(8, 80), rows=2, **more)


PLAIN = Training(8, (8, 80), 2, saved_bytes=4.0, defers=True)
SPREAD = {"fsdp": "full_shard auto_wrap"}
VLLM = {"use_vllm": True, "vllm_max_model_length": 900}
IN_VLLM = Sampling(900, memory_share=0.3)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (load_of(), PLAIN),
        (load_of(table={"gradient_checkpointing": True}), replace(PLAIN, checkpointing=True)),
        (
            load_of(table={"model_init_kwargs": {"dtype": "bfloat16"}}),
            replace(PLAIN, weight_bytes=2.0, saved_bytes=2.0),
        ),
        (load_of(Lora(r=4, target_modules=["q_proj"])), replace(PLAIN, rank=4, targets=("q_proj",))),
        (load_of(Lora(r=4, merge=False)), replace(PLAIN, rank=4, saved_bytes=None)),
        (load_of(Lora(r=4, quantised=True)), replace(PLAIN, rank=4, weight_bytes=0.52, saved_bytes=None)),
        (load_of(reference=True), replace(PLAIN, reference=True, passes=1)),
        (load_of(Lora(), reference=True), replace(PLAIN, rank=16, passes=1)),
        (load_of(samples=True), replace(PLAIN, rollouts="model")),
        (load_of(table={"num_iterations": 2}, samples=True), replace(PLAIN, rollouts="model", passes=1)),
        (load_of(table={"use_vllm": True, "vllm_mode": "server"}, samples=True), replace(PLAIN, rollouts="elsewhere", passes=1)),
        (load_of(table=VLLM, samples=True), replace(PLAIN, rollouts=IN_VLLM, passes=1)),
        (load_of(table=VLLM, samples=True, reference=True), replace(PLAIN, rollouts=IN_VLLM, passes=2, reference=True)),
        (load_of(table={**VLLM, "vllm_importance_sampling_correction": False}, samples=True), replace(PLAIN, rollouts=IN_VLLM)),
        (
            load_of(table={"use_vllm": True, "vllm_gpu_memory_utilization": 0.4, "vllm_enable_sleep_mode": True}, samples=True),
            replace(PLAIN, rollouts=Sampling(0, memory_share=0.4, sleeps=True, own_limit=True), passes=1),
        ),
        (load_of(table=SPREAD), replace(PLAIN, sharded="everything")),
        (
            load_of(table={**SPREAD, "fsdp_config": {"activation_checkpointing": True}}),
            replace(PLAIN, sharded="everything", checkpointing=True),
        ),
        (
            load_of(table={**SPREAD, "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": True}}}),
            replace(PLAIN, sharded="everything", defers=False),
        ),
        (load_of(table={"fsdp": "full_shard offload"}), replace(PLAIN, sharded="everything", offload=True)),
        (load_of(table={"fsdp": "shard_grad_op"}), replace(PLAIN, sharded="states")),
        (load_of(table={"fsdp": True, "fsdp_config": {"reshard_after_forward": False}}), replace(PLAIN, sharded="states")),
        (load_of(table={"fsdp": "no_shard", "fsdp_config": {"version": 1}}), PLAIN),
        (load_of(table={"fsdp": ["hybrid_shard"]}), replace(PLAIN, uncounted=("trl.fsdp hybrid_shard",))),
        (
            load_of(table={"fsdp": True, "fsdp_config": "no.json"}),
            replace(PLAIN, uncounted=("trl.fsdp_config no.json, which cannot be read",)),
        ),
        (load_of(table={"deepspeed": {"zero_optimization": {"stage": 3}}}), replace(PLAIN, sharded="everything", defers=False)),
        (load_of(table={"deepspeed": {"zero_optimization": {"stage": 2}}}), replace(PLAIN, sharded="states", defers=False)),
        (load_of(table={"optim": "adamw_8bit"}), replace(PLAIN, moment_bytes=1.0)),
        (load_of(table={"optim": "lion_8bit"}), replace(PLAIN, uncounted=("trl.optim lion_8bit",))),
        (load_of(table={"activation_offloading": True}), replace(PLAIN, uncounted=("trl.activation_offloading",))),
        (
            load_of(table={"model_init_kwargs": {"device_map": "auto"}}),
            replace(PLAIN, uncounted=("trl.model_init_kwargs.device_map",)),
        ),
    ],
    ids=lambda one: None if one is PLAIN else str(one),
)
def test_options_become_counts(found: Training, expected: Training) -> None:
    assert found == expected


def test_the_names_that_are_read_are_those_of_the_installed_trl() -> None:
    """What TRL called otherwise would be counted as if it had not been set."""
    known = {field.name: field.default for field in fields(GRPOConfig)}
    read = (
        "model_init_kwargs", "gradient_checkpointing", "optim", "use_vllm", "vllm_mode", "vllm_importance_sampling_correction",
        "vllm_max_model_length", "vllm_tensor_parallel_size", "vllm_gpu_memory_utilization", "vllm_enable_sleep_mode", "num_iterations",
        "fsdp", "fsdp_config", "deepspeed", "accelerator_config", "use_liger_kernel",
    )  # fmt: skip
    assert set(read) <= known.keys()
    assert "activation_offloading" in {field.name for field in fields(SFTConfig)}
    assert known["vllm_importance_sampling_correction"] is True
    assert (known["vllm_gpu_memory_utilization"], known["vllm_tensor_parallel_size"], known["num_iterations"]) == (0.3, 1, 1)
    assert str(getattr(known["optim"], "value", known["optim"])).startswith("adamw_torch")


def test_the_built_in_trainers_say_what_they_hold(plugins: Plugins) -> None:
    judge = plugins.pick(Judge, "rrm")()
    grpo = plugins.pick(StageTrainer, "grpo")(steps=5, prompts_per_step=4, group=2, beta=0.1).plan([], judge).training
    assert grpo == Training(8, (40, 40), reference=True, passes=1, saved_bytes=4.0, defers=True, rollouts="model")
    assert plugins.pick(StageTrainer, "grpo")(lora={"r": 8}).plan([], judge).training.rank == 8


def kept(config: dict[str, Any], dtype: torch.dtype) -> int:
    """Bytes that a forward pass keeps for its backward pass, weights and their copies in half precision left out."""
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=dtype).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage
        return tensor

    full = dtype == torch.float32
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16, enabled=full):
        states = model.model(torch.randint(0, 64, (1, TOKENS)), use_cache=False).last_hidden_state
    assert states.shape[1] == TOKENS
    copies = sum(2 * one.numel() for name, one in model.named_parameters() if one.dim() == 2 and "embed" not in name)
    return sum(storage.nbytes() for storage in storages.values()) - (copies if full else 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize("heads", [2, 8])
@pytest.mark.parametrize("layers", [2, 6])
def test_what_a_real_model_keeps_lies_between_least_and_most(family: str, heads: int, layers: int, dtype: torch.dtype) -> None:
    config = {
        "model_type": family, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": layers, "num_attention_heads": 8,
        "num_key_value_heads": heads, "vocab_size": 64, "tie_word_embeddings": True,
    }  # fmt: skip
    load = Training(1, None, weight_bytes=4.0 if dtype == torch.float32 else 2.0)
    least, most = training("s", model_size_of(config, "config"), load, TOKENS, 1)[0].parts["activations"]
    assert least <= kept(config, dtype) <= most
