"""FSDP and ZeRO-3 for real over two processes on a CPU: sharded weights take the steps of whole ones, and whole models come out.

accelerate uses FSDP on accelerators alone. `BELIEF`, which every process imports, has it take a CPU for one and notes what each process
holds; the rest is as on a node, with gloo in the place of NCCL. DeepSpeed knows CPUs, and is tried where it is installed. A launch mostly
costs what its processes import, so these are forks.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from adjudge import find_model

pytestmark = pytest.mark.slow
DEEPSPEED = pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed; it is no dependency of adjudge")
KINDS = ["fsdp", pytest.param("deepspeed", marks=DEEPSPEED)]

SHIPPED = Path(__file__).parents[3] / "docs" / "accelerate" / "fsdp.yaml"
RUN = """
out: {out}
model: adjudge_arithmetic:model
data: {{use: arithmetic, levels: [1], size: 24}}
launch: {{processes: 2{config}}}
reporters: []
stages: [{{use: grpo, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5, save_every: 1, {more}}}]
"""
STEPS = "steps: 3"
Begin = Callable[..., subprocess.Popen[str]]
UNSHARDED = """
import os, sys
from pathlib import Path
import adjudge_grpo.train
from adjudge import Plugins, Run, read_run_file
from adjudge_launch import FolderProcessGroup, LaunchedStage

folder, port = Path(sys.argv[1]), sys.argv[2]
def train(rank):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    plugins = Plugins.load()
    run = Run(read_run_file(folder / "run.yaml", [], plugins), plugins)
    stage = LaunchedStage.of(run.stage(1, run.base), FolderProcessGroup(rank, 2, folder), lambda *_: None)
    stage.problems = run.load_problems()[0]
    run.train(stage)

other = os.fork()
train(int(other == 0))
if other:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
"""
BELIEF = """
import os
from pathlib import Path
if os.environ.get("ACCELERATE_USE_FSDP") == "true":
    from accelerate import accelerator, state
    start, shard = state.PartialState.__init__, accelerator.fsdp2_prepare_model

    def started(self, *args, **options):
        start(self, *args, **options)
        if self.distributed_type == state.DistributedType.MULTI_CPU:
            self.distributed_type = state.DistributedType.MULTI_GPU

    def sharded(*args, **options):
        model = shard(*args, **options)
        held = sum(getattr(weight, "to_local", lambda weight=weight: weight)().numel() for weight in model.parameters())
        whole = sum(weight.numel() for weight in model.parameters())
        Path(__file__).with_name(f"held-{os.environ['RANK']}").write_text(str(held / whole))
        return model

    state.PartialState.__init__, accelerator.fsdp2_prepare_model = started, sharded
"""


def start(begin: Begin, folder: Path, config: dict[str, Any], more: str = STEPS) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(BELIEF)
    (folder / "fsdp.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.yaml").write_text(RUN.format(out=folder / "run", config=f", config_file: {folder / 'fsdp.yaml'}", more=more))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return begin(
        [sys.executable, "-P", "-m", "adjudge", "run", str(folder / "run.yaml")],  # -P: without this folder, like the command
        env={**os.environ, "PYTHONPATH": path, "DS_ACCELERATOR": "cpu"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> None:
    told, _ = process.communicate(timeout=400)
    assert process.returncode == 0, told


def steps(folder: Path) -> list[dict[str, Any]]:
    file = folder / "run" / "records" / "1-grpo-steps.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def config_of(kind: str, **changes: Any) -> dict[str, Any]:
    """accelerate's configuration: the one in docs/ with other values in the place of some, or ZeRO-3 as `accelerate config` writes it."""
    if kind == "deepspeed":
        return {"distributed_type": "DEEPSPEED", "mixed_precision": "no", "deepspeed_config": {"zero_stage": 3, "zero3_init_flag": True}}
    config = yaml.safe_load(SHIPPED.read_text())
    fsdp = {name: changes.pop(name) for name in list(changes) if name.startswith("fsdp_")}
    return {**config, **changes, "fsdp_config": {**config["fsdp_config"], **fsdp}}


def weights(folder: Path) -> dict[str, Any]:
    """The stage's model, which has to hold every weight of the one that it started from, whole; FSDP's has a tied head once more."""
    from safetensors.numpy import load_file

    start = load_file(find_model("adjudge_arithmetic:model") / "model.safetensors")
    saved = load_file(folder / "run" / "stages" / "1-grpo" / "model" / "model.safetensors")
    found = {name: saved[name] for name in start}
    assert all(found[name].shape == weight.shape for name, weight in start.items())
    assert any((found[name] != weight).any() for name, weight in start.items()), "it was trained"
    return found


def assert_shared_out(folder: Path, kind: str) -> None:
    if kind == "fsdp":
        held = [float((folder / f"held-{rank}").read_text()) for rank in (0, 1)]
        assert held == pytest.approx([0.5, 0.5], abs=0.01)
    else:
        assert list((folder / "run").rglob("zero_pp_rank_1_*_optim_states.pt")), "each process saves its own part"


def unsharded(begin: Begin, folder: Path, port: int) -> None:
    """The same run with whole weights in each of two processes.

    TRL samples here too, as it does from sharded weights.
    """
    folder.mkdir()
    more = f"{STEPS}, trl: {{generation_kwargs: {{do_sample: true}}}}"
    (folder / "run.yaml").write_text(RUN.format(out=folder / "run", config="", more=more))
    command, environment = [sys.executable, "-c", UNSHARDED, str(folder), str(port)], {**os.environ, "OMP_NUM_THREADS": "1"}
    finish(begin(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))


class Malicious:
    """What runs when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sign,)


def assert_code_is_not_run(begin: Begin, stopped: Path, folder: Path, config: dict[str, Any]) -> None:
    """A copy of the stopped run, in whose checkpoints the second process's part holds code as well, ends with a message."""
    import torch

    shutil.copytree(stopped, folder)
    for file in (folder / "run").rglob("zero_pp_rank_1_*_optim_states.pt"):
        states = torch.load(file, weights_only=False)
        torch.save({**states, "more": Malicious(folder / "it-ran")}, file)
    process = start(begin, folder, config)
    told, _ = process.communicate(timeout=100)
    assert (process.returncode, "Traceback" in told) == (1, False), told
    assert "is damaged, or holds something else than numbers, and is not read. It names " in told
    assert "Remedy: delete that checkpoint, and run again" in told
    assert not (folder / "it-ran").exists()
    torch.load(file, weights_only=False)
    assert (folder / "it-ran").exists(), "elsewhere it does what it was made for"


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_of_sharded_weights_ends_where_one_of_whole_weights_does(
    tmp_path: Path, free_port: int, forked: Begin, kind: str
) -> None:
    """In full precision, with checkpoints that are sharded too. What FSDP's may hold is tested where they are read, without a launch."""
    one, other = tmp_path / "sharded", tmp_path / "whole"
    config = config_of(kind, mixed_precision="no", fsdp_state_dict_type="SHARDED_STATE_DICT")
    process = start(forked, one, config)
    while len(steps(one)) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    pid = int((one / "run" / "stages" / "1-grpo" / "launch" / "pid-0.1").read_text())
    os.kill(pid, signal.SIGKILL)
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, "process 1 of 2 ended without a word" in told) == (1, True), told
    assert_shared_out(one, kind)
    if kind == "deepspeed":
        assert_code_is_not_run(forked, one, tmp_path / "spoilt", config)
    before = steps(one)[0]
    finish(start(forked, one, config))
    unsharded(forked, other, free_port)
    assert steps(one)[0] == before, "it went on from a checkpoint"
    assert [step["loss"] for step in steps(one)] == pytest.approx([step["loss"] for step in steps(other)], abs=1e-5)
    same = weights(other)
    assert all(abs(weight - same[name]).max() < 1e-5 for name, weight in weights(one).items())


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_of_sharded_weights_become_a_whole_model(tmp_path: Path, forked: Begin, kind: str) -> None:
    """With the configuration as it is shipped."""
    finish(start(forked, tmp_path / "run", config_of(kind), "steps: 1, lora: {r: 4}"))
    weights(tmp_path / "run")
