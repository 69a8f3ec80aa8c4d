"""What settings of FSDP and DeepSpeed spread is read as accelerate reads it, and what nobody can read or count is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adjudge.launch import Launch
from adjudge.spreading import STRATEGIES, Spreading, by_accelerate, by_deepspeed, by_fsdp


def test_the_strategies_are_those_of_accelerate() -> None:
    constants = pytest.importorskip("accelerate.utils.constants")
    assert list(STRATEGIES) == constants.FSDP_SHARDING_STRATEGY


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Spreading("everything")),
        ({"fsdp_reshard_after_forward": True}, Spreading("everything")),
        ({"fsdp_reshard_after_forward": False}, Spreading("states")),
        ({"fsdp_reshard_after_forward": "SHARD_GRAD_OP"}, Spreading("states")),
        ({"fsdp_sharding_strategy": "FULL_SHARD"}, Spreading("everything")),
        ({"fsdp_sharding_strategy": 2}, Spreading("states")),
        ({"fsdp_sharding_strategy": "3"}, Spreading("nothing")),
        ({"fsdp_sharding_strategy": "HYBRID_SHARD"}, Spreading("everything", by_machine=True)),
        ({"fsdp_sharding_strategy": 5}, Spreading("states", by_machine=True)),
        ({"fsdp_sharding_strategy": 6}, Spreading(uncounted=("FSDP's strategy 6",))),
        ({"fsdp_offload_params": True}, Spreading("everything", offload=True)),
        ({"fsdp_offload_params": "false"}, Spreading("everything")),
        ({"cpu_offload": True}, Spreading("everything", offload=True)),
        ({"fsdp_activation_checkpointing": "true"}, Spreading("everything", checkpointing=True)),
    ],
    ids=str,
)
def test_fsdp(options: dict[str, Any], expected: Spreading) -> None:
    assert by_fsdp(options) == expected


@pytest.mark.parametrize(
    ("zero", "expected"),
    [
        ({}, Spreading("nothing", each_batch=True)),
        ({"stage": 1}, Spreading("states", each_batch=True)),
        ({"stage": 3}, Spreading("everything", each_batch=True)),
        ({"stage": "auto"}, Spreading(uncounted=("DeepSpeed's stage 'auto'",))),
        ({"stage": 3, "offload_param": {"device": "none"}}, Spreading("everything", each_batch=True)),
        (
            {"stage": 2, "offload_optimizer": {"device": "cpu"}},
            Spreading("states", each_batch=True, uncounted=("DeepSpeed's offload_optimizer",)),
        ),
    ],
    ids=str,
)
def test_deepspeed_in_a_mapping_and_in_a_file(zero: dict[str, Any], expected: Spreading, tmp_path: Path) -> None:
    file = tmp_path / "ds.json"
    file.write_text(json.dumps({"zero_optimization": zero}))
    assert by_deepspeed({"zero_optimization": zero}) == by_deepspeed(str(file)) == expected
    named = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"deepspeed_config_file": str(file), "zero_stage": 1}}
    assert by_accelerate(named) == expected, "the file counts, as accelerate says"


@pytest.mark.parametrize("name", ["fsdp_config", "deepspeed_config", "parallelism_config"])
def test_a_section_that_is_no_mapping_is_named(name: str) -> None:
    assert by_accelerate({"distributed_type": "DEEPSPEED", name: "ds.json"}) == Spreading(uncounted=(f"{name}, which is no mapping",))


@pytest.mark.parametrize("content", [None, "no JSON", "[3]", '{"zero_optimization": 3}'])
def test_settings_of_deepspeed_that_cannot_be_read_are_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ds.json").write_text(content)
    found = by_deepspeed(str(tmp_path / "ds.json"))
    assert (found.kind, len(found.uncounted)) == ("nothing", 1)


def test_accelerates_own_fields_of_deepspeed() -> None:
    told = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 3, "offload_param_device": "cpu"}}
    assert by_accelerate(told) == Spreading("everything", each_batch=True, uncounted=("DeepSpeed's offload_param",))
    assert by_accelerate({"distributed_type": "DEEPSPEED"}).kind == "states", "accelerate's own default is stage 2"


def test_other_ways_of_sharing_out_are_named() -> None:
    assert by_accelerate(Launch(processes=2).accelerate()) == Spreading()
    told = by_accelerate({"distributed_type": "FSDP", "parallelism_config": {"parallelism_config_cp_size": 8, "tp_size": 1}})
    assert told == Spreading("everything", uncounted=("parallelism_config's cp_size 8",))
    assert by_accelerate({"distributed_type": "MEGATRON_LM"}).uncounted == ("distributed_type MEGATRON_LM",)
