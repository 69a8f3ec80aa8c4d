"""A launch's way of spreading reaches the counts of a stage; and a phase is refused by its own share of a device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from adjudge import ConfigError, Launcher
from adjudge_launch import AccelerateLauncher
from adjudge_plan import Training
from adjudge_plan.hardware import DeviceTable, with_sharding
from adjudge_plan.memory import GIB, Phase
from adjudge_plan.model_size import ModelSize

LOAD = Training(step=16, sequences=None, defers=True)
TINY = ModelSize(layers=2, width=8, inner=16, queries=8, keys=4, vocabulary=32, parameters=1000)


class Elsewhere(Launcher):
    """Sends stages to machines of its own."""

    use: Literal["elsewhere"] = "elsewhere"


def launched(tmp_path: Path, **config: Any) -> AccelerateLauncher:
    """A launcher of eight processes on two machines."""
    file = tmp_path / "accelerate.yaml"
    file.write_text(yaml.safe_dump(config))
    return AccelerateLauncher(processes=8, machines=2, main_process_ip="node", main_process_port=1, config_file=file)


def test_a_run_without_a_launch_spreads_nothing() -> None:
    assert with_sharding(None, LOAD) == LOAD


def test_what_another_launcher_spreads_is_not_counted() -> None:
    assert with_sharding(Elsewhere(processes=8), LOAD) == replace(LOAD, uncounted=("launcher elsewhere",))


def test_zero_3_in_a_json_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "ds.json").write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    config = {"deepspeed_config_file": str(tmp_path / "ds.json")}
    found = with_sharding(launched(tmp_path, distributed_type="DEEPSPEED", deepspeed_config=config), LOAD)
    assert found == replace(LOAD, sharded="everything", defers=False)


def test_a_file_that_cannot_be_read_leaves_it_open(tmp_path: Path) -> None:
    config = {"deepspeed_config_file": str(tmp_path / "gone.json")}
    found = with_sharding(launched(tmp_path, distributed_type="DEEPSPEED", deepspeed_config=config), LOAD)
    assert found == replace(LOAD, uncounted=(f"DeepSpeed's settings in {tmp_path}/gone.json, which cannot be read",))


def test_machines_each_hold_all_under_hybrid_shard(tmp_path: Path) -> None:
    config = {"fsdp_sharding_strategy": "HYBRID_SHARD", "fsdp_offload_params": True, "fsdp_activation_checkpointing": True}
    found = with_sharding(launched(tmp_path, distributed_type="FSDP", fsdp_config=config), LOAD)
    assert found == replace(LOAD, sharded="everything", replicas=2, offload=True, checkpointing=True)


def test_a_phase_is_refused_by_its_own_share_of_a_device() -> None:
    phases = (Phase("1", "step", {"weights": (20 * GIB, 20 * GIB)}), Phase("1", "rollouts", {"weights": (15 * GIB, 15 * GIB)}, share=0.4))
    table = DeviceTable(TINY, 1, 100, 50, "given", phases, (), None)
    with pytest.raises(ConfigError, match=r"1, rollouts: needs at least 15.5 .* one has 30, of which this may take 12.0") as caught:
        table.check(30)
    assert "assumed" not in str(caught.value)
    table.check(40)
    assert [phase["share"] for phase in table.to_json(None)["phases"]] == [1.0, 0.4]
    with pytest.raises(ConfigError, match=r"Prompts were assumed to have up to 50 tokens.\n.*--prompt-tokens"):
        replace(table, source="assumed").check(30)
