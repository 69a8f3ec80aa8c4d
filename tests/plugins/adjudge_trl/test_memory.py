"""What a stage's options mean for memory; and what a backward pass keeps of a real model lies between the least and the most."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from adjudge import Judge, Plugins, Sampling, StageTrainer, Training
from adjudge.footprint import training
from adjudge.shape import shape_of
from adjudge_trl import Lora, held

TOKENS = 256


def held_by(lora: Lora | None = None, table: dict[str, Any] | None = None, **more: Any) -> Training:
    return held(lora, table or {}, step=8, sequences=(8, 80), rows=2, **more)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (held_by(), Training(8, (8, 80), 2)),
        (held_by(table={"gradient_checkpointing": True}), Training(8, (8, 80), 2, checkpointing=True)),
        (held_by(table={"model_init_kwargs": {"dtype": "bfloat16"}}), Training(8, (8, 80), 2, weight_bytes=2.0)),
        (held_by(Lora(r=4, target_modules=["q_proj"])), Training(8, (8, 80), 2, rank=4, targets=("q_proj",))),
        (held_by(Lora(r=4, quantised=True)), Training(8, (8, 80), 2, rank=4, weight_bytes=0.52)),
        (held_by(reference=True), Training(8, (8, 80), 2, reference=True)),
        (held_by(Lora(), reference=True), Training(8, (8, 80), 2, rank=16)),
        (held_by(samples=True), Training(8, (8, 80), 2, rollouts="model")),
        (held_by(table={"use_vllm": True, "vllm_mode": "server"}, samples=True), Training(8, (8, 80), 2, rollouts="elsewhere")),
        (
            held_by(table={"use_vllm": True, "vllm_gpu_memory_utilization": 0.4, "vllm_enable_sleep_mode": True}, samples=True),
            Training(8, (8, 80), 2, rollouts=Sampling(0, share=0.4, sleeps=True)),
        ),
        (held_by(table={"fsdp": "full_shard auto_wrap"}), Training(8, (8, 80), 2, spread="everything")),
        (held_by(table={"fsdp": "shard_grad_op"}), Training(8, (8, 80), 2, spread="states")),
        (held_by(table={"deepspeed": {"zero_optimization": {"stage": 3}}}), Training(8, (8, 80), 2, spread="everything")),
        (held_by(table={"deepspeed": {"zero_optimization": {"stage": 2}}}), Training(8, (8, 80), 2, spread="states")),
    ],
    ids=str,
)
def test_options_become_counts(found: Training, expected: Training) -> None:
    assert found == expected


def test_the_built_in_trainers_say_what_they_hold(plugins: Plugins) -> None:
    judge = plugins.pick(Judge, "rrm")()
    grpo = plugins.pick(StageTrainer, "grpo")(steps=5, prompts_per_step=4, group=2, beta=0.1).plan([], judge).training
    assert grpo == Training(8, (40, 40), reference=True, rollouts="model")
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
    least, most = training("s", shape_of(config, "config"), load, TOKENS, 1)[0].parts["activations"]
    assert least <= kept(config, dtype) <= most
