"""What settings of FSDP and DeepSpeed shard is read as accelerate reads it, and what nobody can read or count is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adjudge_launch import AccelerateLauncher
from adjudge_trl import Sharding, sharding_of_accelerate
from adjudge_trl.sharding import STRATEGIES, sharding_of_deepspeed, sharding_of_fsdp


def test_the_strategies_are_those_of_accelerate() -> None:
    constants = pytest.importorskip("accelerate.utils.constants")
    assert list(STRATEGIES) == constants.FSDP_SHARDING_STRATEGY


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Sharding("everything")),
        ({"fsdp_reshard_after_forward": True}, Sharding("everything")),
        ({"fsdp_reshard_after_forward": False}, Sharding("states")),
        ({"fsdp_reshard_after_forward": "SHARD_GRAD_OP"}, Sharding("states")),
        ({"fsdp_sharding_strategy": "FULL_SHARD"}, Sharding("everything")),
        ({"fsdp_sharding_strategy": 2}, Sharding("states")),
        ({"fsdp_sharding_strategy": "3"}, Sharding("nothing")),
        ({"fsdp_sharding_strategy": "HYBRID_SHARD"}, Sharding("everything", by_machine=True)),
        ({"fsdp_sharding_strategy": 5}, Sharding("states", by_machine=True)),
        ({"fsdp_sharding_strategy": 6}, Sharding(uncounted=("FSDP's strategy 6",))),
        ({"fsdp_offload_params": True}, Sharding("everything", offload=True)),
        ({"fsdp_offload_params": "false"}, Sharding("everything")),
        ({"cpu_offload": True}, Sharding("everything", offload=True)),
        ({"fsdp_activation_checkpointing": "true"}, Sharding("everything", checkpointing=True)),
    ],
    ids=str,
)
def test_fsdp(options: dict[str, Any], expected: Sharding) -> None:
    assert sharding_of_fsdp(options) == expected


@pytest.mark.parametrize(
    ("zero", "expected"),
    [
        ({}, Sharding("nothing", each_batch=True)),
        ({"stage": 1}, Sharding("states", each_batch=True)),
        ({"stage": 3}, Sharding("everything", each_batch=True)),
        ({"stage": "auto"}, Sharding(uncounted=("DeepSpeed's stage 'auto'",))),
        ({"stage": 3, "offload_param": {"device": "none"}}, Sharding("everything", each_batch=True)),
        (
            {"stage": 2, "offload_optimizer": {"device": "cpu"}},
            Sharding("states", each_batch=True, uncounted=("DeepSpeed's offload_optimizer",)),
        ),
    ],
    ids=str,
)
def test_deepspeed_in_a_mapping_and_in_a_file(zero: dict[str, Any], expected: Sharding, tmp_path: Path) -> None:
    file = tmp_path / "ds.json"
    file.write_text(json.dumps({"zero_optimization": zero}))
    assert sharding_of_deepspeed({"zero_optimization": zero}) == sharding_of_deepspeed(str(file)) == expected
    named = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"deepspeed_config_file": str(file), "zero_stage": 1}}
    assert sharding_of_accelerate(named) == expected, "the file counts, as accelerate says"


@pytest.mark.parametrize("name", ["fsdp_config", "deepspeed_config", "parallelism_config"])
def test_a_section_that_is_no_mapping_is_named(name: str) -> None:
    assert sharding_of_accelerate({"distributed_type": "DEEPSPEED", name: "ds.json"}) == Sharding(
        uncounted=(f"{name}, which is no mapping",)
    )


@pytest.mark.parametrize("content", [None, "no JSON", "[3]", '{"zero_optimization": 3}'])
def test_settings_of_deepspeed_that_cannot_be_read_are_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ds.json").write_text(content)
    found = sharding_of_deepspeed(str(tmp_path / "ds.json"))
    assert (found.kind, len(found.uncounted)) == ("nothing", 1)


def test_accelerates_own_fields_of_deepspeed() -> None:
    told = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 3, "offload_param_device": "cpu"}}
    assert sharding_of_accelerate(told) == Sharding("everything", each_batch=True, uncounted=("DeepSpeed's offload_param",))
    assert sharding_of_accelerate({"distributed_type": "DEEPSPEED"}).kind == "states", "accelerate's own default is stage 2"


def test_other_ways_of_sharing_out_are_named() -> None:
    assert sharding_of_accelerate(AccelerateLauncher(processes=2).accelerate()) == Sharding()
    told = sharding_of_accelerate({"distributed_type": "FSDP", "parallelism_config": {"parallelism_config_cp_size": 8, "tp_size": 1}})
    assert told == Sharding("everything", uncounted=("parallelism_config's cp_size 8",))
    assert sharding_of_accelerate({"distributed_type": "MEGATRON_LM"}).uncounted == ("distributed_type MEGATRON_LM",)
