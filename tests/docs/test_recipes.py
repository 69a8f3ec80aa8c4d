"""Every recipe is valid, can be planned where its model is not, fits the devices that it names, and runs, scaled down, line by line."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of
from adjudge_launch import AccelerateLauncher
from adjudge_trl import Sharding, sharding_of_accelerate

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "docs" / "runs" / "recipes").glob("*.yaml"))
NAMES = {"rrm-7b", "rrm-32b", "reasongrm-qwq-32b", "rm-r1-style", "reasongrm-1.5b-single-gpu", "lora-24gb"}
recipe = pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return data


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app_of(Plugins.load()), list(arguments))


def test_all_recipes_are_there() -> None:
    assert {file.stem for file in RECIPES} == NAMES


@recipe
def test_a_dry_run_needs_neither_model_nor_data(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = call("run", str(file.relative_to(ROOT)), "--dry-run")
    assert done.exit_code == 0, done.output
    assert f"Not here, so not checked: {read(file)['model']}" in done.stdout
    assert "Not here, so not checked: data" in done.stdout


@recipe
def test_it_fits_the_devices_that_its_own_command_names(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [command] = re.findall(r"^# (adjudge plan .*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    done = call(*shlex.split(command)[1:], "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["memory"]
    assert [phase for phase in told["phases"] if phase["fits"] is False] == []
    assert told["unknown"] == []
    assert told["training_seconds"] is not None or "sft" in str(read(file)["stages"])
    small = call(*shlex.split(command)[1:], "--gpu-memory", "8")
    assert (small.exit_code, "needs at least" in small.stderr) == (2, True)


@recipe
def test_where_every_value_is_from_is_said(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    head = text[: text.index("\nout:")]
    whole = re.search(r"every number is ours", head)
    for line in text.splitlines():
        said = re.search(r"#.*\b(paper|release|recalled|ours|as in stage 1)\b", line)
        number = re.search(r"^\s+(\w+): [\d.e-]+\b", line)
        assert said or whole or not number or "vllm_" in line, f"nothing says where this is from: {line}"
    assert re.search(r"arXiv \d{4}\.\d{5}", head)


def scaled_down(file: Path, out: Path) -> list[str]:
    """`--set` that put the embedded judge in the place of the model, and small numbers in the place of large ones; all else stays."""
    data = read(file)
    judge = {"use": "arithmetic", **{name: data["judge"][name] for name in ("temperature", "top_p", "order") if name in data["judge"]}}
    found: dict[str, Any] = {
        "out": str(out), "model": "adjudge_arithmetic:model", "judge": judge, "engine": "hf", "launch": None, "reporters": ["card"],
        "evaluation.sets.held-out": {"use": "arithmetic", "part": "test", "size": 20},
    }  # fmt: skip
    sums = {"use": "arithmetic", "levels": [1, 2, 3], "size": 24}
    if data["data"]["use"] == "mix":
        found |= {f"data.parts.{name}.data": {**sums, "seed": seed} for seed, name in enumerate(data["data"]["parts"])}
    else:
        found["data"] = sums
    for index, stage in enumerate(data["stages"]):
        small = {"steps": 1, "prompts_per_step": 4, "micro_batch": None, "probe_samples": 2, "paths": 4, "batch": 8}
        if stage["use"] == "grpo" and stage.get("micro_batch"):
            small["micro_batch"] = stage["group"]
        found |= {f"stages.{index}.{name}": value for name, value in small.items() if name in stage}
        if stage.get("trl", {}).get("use_vllm"):
            found[f"stages.{index}.trl.use_vllm"] = False
        if stage.get("lora", {}).get("quantised") and importlib.util.find_spec("bitsandbytes") is None:
            found[f"stages.{index}.lora.quantised"] = False
    return [word for name, value in found.items() for word in ("--set", f"{name}={json.dumps(value)}")]


@pytest.mark.slow
@recipe
def test_it_runs_scaled_down_to_the_embedded_judge(file: Path, tmp_path: Path) -> None:
    done = call("run", str(file), *scaled_down(file, tmp_path / "out"), "--json")
    assert done.exit_code == 0, done.output
    stages = json.loads(done.stdout)["stages"]
    assert [stage["use"] for stage in stages] == ["base", *(stage["use"] for stage in read(file)["stages"])]
    assert all(stage["evaluation"]["held-out"]["n"] == 20 for stage in stages)
    last = f"{len(stages) - 1}-{stages[-1]['use']}"
    assert (tmp_path / "out" / "stages" / last / "model" / "model.safetensors").exists()
    config = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    for ran, written in zip(config["stages"], read(file)["stages"], strict=True):
        for name in ("learning_rate", "beta", "group", "keep", "epochs", "only", "start"):
            assert ran.get(name) == written.get(name, ran.get(name))


@pytest.mark.parametrize(("name", "offload"), [("fsdp", False), ("fsdp-offload", True)])
def test_accelerate_takes_the_configurations_of_the_recipes(name: str, offload: bool, tmp_path: Path) -> None:
    """Every name in it is one of accelerate's own, and a plan reads from it that weights are spread."""
    arguments = pytest.importorskip("accelerate.commands.config.config_args")
    found = AccelerateLauncher(processes=8, config_file=ROOT / "docs" / "accelerate" / f"{name}.yaml").accelerate()
    assert sharding_of_accelerate(found) == Sharding("everything", offload=offload)
    launch = pytest.importorskip("accelerate.commands.launch").launch_command_parser()
    assert found["fsdp_config"].keys() <= {action.dest for action in launch._actions}
    (tmp_path / "accelerate.yaml").write_text(yaml.safe_dump(found))
    loaded = arguments.load_config_from_file(str(tmp_path / "accelerate.yaml"))
    assert (loaded.distributed_type, loaded.num_processes, loaded.fsdp_config["fsdp_version"]) == ("FSDP", 8, 2)


@pytest.fixture
def recipe_plans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, as a module."""
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("recipe_plans", ROOT / "benchmarks" / "recipe_plans.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_plans_is_current(recipe_plans: Any) -> None:
    table = recipe_plans.table([recipe_plans.plan(file) for file in RECIPES])
    assert (ROOT / "benchmarks" / "results" / "recipe_plans.md").read_text(encoding="utf-8") == table


def test_the_tightest_phase_is_that_with_the_least_room_in_its_share(recipe_plans: Any, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "runs" / "recipes" / "rm-r1-style.yaml").read_text(encoding="utf-8")
    tight = tmp_path / "tight.yaml"
    command = f"# adjudge plan {tight} --gpus 8"
    changed = re.sub(r"^# adjudge plan .*$", command, text, flags=re.MULTILINE).replace("utilization: 0.4", "utilization: 0.1")
    tight.write_text(changed, encoding="utf-8")
    found = recipe_plans.plan(tight)
    assert (found["tightest"], found["share"], found["fits"], found["gpu_memory"]) == ("rollouts (vLLM)", 0.1, "not asked", None)
    row = recipe_plans.row(found)
    assert row[3:5] == ["not given", "rollouts (vLLM), in 10% of it"]


@recipe
def test_fsdp_spreads_gradients_at_once_and_vllm_has_a_limit(file: Path) -> None:
    """Else every GPU would sum the gradients of all weights, and vLLM would ask for room for the longest sequence of all."""
    data = read(file)
    for stage in data["stages"]:
        trl = stage.get("trl", {})
        if data.get("launch"):
            assert trl["accelerator_config"]["gradient_accumulation_kwargs"] == {"sync_each_batch": True}
        if trl.get("use_vllm"):
            assert trl["vllm_max_model_length"] == data["engine"]["max_model_len"]
