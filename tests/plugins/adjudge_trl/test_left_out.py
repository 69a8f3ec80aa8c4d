"""Layers of a model of experts that peft gives no adapters with ``all-linear`` are named, and no others."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_trl.left_out import tell_left_out, without_adapters

peft = pytest.importorskip("peft", reason="peft is not installed")
SIZES = {
    "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "moe_intermediate_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "num_experts": 4, "n_routed_experts": 4, "num_local_experts": 4,
    "num_experts_per_tok": 2, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": None, "first_k_dense_replace": 1, "n_group": 1,
    "topk_group": 1,
}  # fmt: skip
PASSED_BY = [f"model.layers.{place}.{name}_proj" for place in ("0.mlp", "1.mlp.shared_experts") for name in ("down", "gate", "up")]

OF_0_21 = pytest.mark.skipif(
    tuple(map(int, peft.__version__.split(".")[:2])) < (0, 21), reason="peft before 0.21 passes other layers by, which are named likewise"
)


def adapted(family: str) -> Any:
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**SIZES))
    return peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))


@pytest.mark.parametrize(
    ("family", "left_out", "total"),
    [
        ("qwen3", [], 14),
        pytest.param("qwen3_moe", [], 10, marks=OF_0_21),
        pytest.param("glm4_moe", PASSED_BY, 15, marks=OF_0_21),
        ("gpt_oss", ["model.layers.0.mlp.experts", "model.layers.1.mlp.experts"], 10),
    ],
)
def test_what_peft_leaves_out_is_found(family: str, left_out: list[str], total: int) -> None:
    assert without_adapters(adapted(family)) == (left_out, total)


@OF_0_21
def test_it_is_told_once_with_names_and_numbers(tmp_path: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    problems = list(ArithmeticDataset(size=1).load())
    stage = Stage(1, "sft", tmp_path, tmp_path / "records", tmp_path, tmp_path, ArithmeticJudge(), HfEngine(), problems)
    tell_left_out(adapted("qwen3"), stage)
    assert not caplog.messages
    tell_left_out(adapted("glm4_moe"), stage)
    [told] = caplog.messages
    assert "6 of the model's 15 linear layers and groups of experts" in told
    assert f"{', '.join(PASSED_BY[:4])} and 2 more" in told
