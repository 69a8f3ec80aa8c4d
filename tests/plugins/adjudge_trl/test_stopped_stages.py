"""Trainings that cannot go on: what they say, what they keep, and that the same command goes on from there."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import pytest

from adjudge import JobError, Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Random
from adjudge_sft import Sft
from adjudge_trl import newest_checkpoint
from adjudge_trl.pickles import STRICT

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"steps": 3, "prompts_per_step": 2, "group": 4, "learning_rate": 1e-4, "save_every": 1}


def stage(folder: FilePath, model: FilePath, use: str = "grpo") -> Stage:
    problems = list(ArithmeticDataset(size=12, levels=[1, 2]).load())
    own = folder / "stages" / f"1-{use}"
    return Stage(1, use, own, folder / "records", model, model, ArithmeticJudge(), HfEngine(), problems)


# Numbers that are none ----------------------------------------------------------------------------------------------------


def spoil(monkeypatch: pytest.MonkeyPatch, trainer: str, step: int, what: str) -> None:
    """From this step on, the loss of TRL's own trainer, or the gradient that follows from it, is NaN."""
    import trl

    cls = getattr(trl, trainer)
    compute = cls.compute_loss

    def spoilt(self: Any, model: Any, *args: Any, **options: Any) -> Any:
        loss = compute(self, model, *args, **options)
        if self.state.global_step + 1 < step:
            return loss
        if what == "loss":
            return loss * float("nan")
        next(parameter for parameter in model.parameters() if parameter.requires_grad).register_hook(lambda grad: grad * float("nan"))
        return loss

    monkeypatch.setattr(cls, "compute_loss", spoilt)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_step_that_is_no_number_stops_before_the_weights_are_spoilt(
    tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from safetensors.torch import load_file

    made = stage(tmp_path, embedded)
    spoil(monkeypatch, "GRPOTrainer", 2, what)
    with pytest.raises(JobError, match=rf"stage 1-grpo: in step 2 the {what} is nan. Its batch is in .*step-2.safetensors(.|\n)*Remedy"):
        Grpo(**SMALL, micro_batch=4).train(made)
    folder = made.folder / "not-finite"
    tensors = load_file(folder / "step-2.safetensors")
    assert tensors["0.completion_ids"].shape[0] == 4
    texts = json.loads((folder / "step-2.json").read_text())
    recorded = {json.loads(line)["text"] for line in (made.records_folder / "1-grpo-rollouts.jsonl").read_text().splitlines()}
    assert any(text in texts["0.completion_ids"][0] for text in recorded)
    last, step = newest_checkpoint(made)
    assert step == 1
    assert last is not None
    assert all(value.isfinite().all() for value in load_file(last / "model.safetensors").values())
    assert not (made.folder / "model").exists()
    monkeypatch.undo()
    assert Grpo(**SMALL, micro_batch=4).train(made).metrics["steps"] == 3


def test_fine_tuning_stops_likewise(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stage(tmp_path, embedded, "sft")
    spoil(monkeypatch, "SFTTrainer", 1, "loss")
    with pytest.raises(JobError, match="stage 1-sft: in step 1 the loss is nan"):
        Sft(scorer=Random(), paths=4, batch=4).train(made)
    assert "0.input_ids" in json.loads((made.folder / "not-finite" / "step-1.json").read_text())


@pytest.mark.parametrize("processes", [1, 2])
def test_each_process_keeps_its_own_batch(tmp_path: FilePath, embedded: FilePath, processes: int) -> None:
    """A gradient is no number in all of them at once; two stand in for trainers of two processes."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    from adjudge_trl import StopsWhenNotFinite

    made, tokenizer = stage(tmp_path, embedded), AutoTokenizer.from_pretrained(embedded)
    for rank in range(processes):
        trainer: Any = StopsWhenNotFinite()
        trainer.stage, trainer.processing_class = made, tokenizer
        trainer.accelerator = SimpleNamespace(process_index=rank, num_processes=processes)
        trainer._seen = (3, ({"input_ids": torch.tensor([[rank + 1]])},))
        with pytest.raises(JobError, match="in step 3 the gradient is nan"):
            trainer.not_finite("gradient", float("nan"))
    names = ["step-3"] if processes == 1 else ["step-3-rank-0", "step-3-rank-1"]
    assert sorted(file.name for file in (made.folder / "not-finite").iterdir()) == sorted(
        f"{name}.{kind}" for name in names for kind in ("json", "safetensors")
    )
    for rank, name in enumerate(names):
        assert load_file(made.folder / "not-finite" / f"{name}.safetensors")["0.input_ids"].item() == rank + 1


def test_a_model_whose_log_probabilities_are_no_numbers_judges_nothing(tmp_path: FilePath, embedded: FilePath) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for file in embedded.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = {name: value * float("nan") if "norm" in name else value for name, value in load_file(embedded / "model.safetensors").items()}
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    made = stage(tmp_path, broken, "sft")
    with pytest.raises(JobError, match=r"stage 1-sft: problem \S+: the model gives a token the log-probability nan") as caught:
        Sft(scorer=Random(), paths=2).train(made)
    (file,) = (made.folder / "not-a-number").iterdir()
    assert str(file) in str(caught.value)
    kept = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (kept["prompt"][-1]["role"], kept["completion"]["logprobs"][0]) == ("user", "nan")


# Checkpoints --------------------------------------------------------------------------------------------------------------


class Malicious:
    """What runs when it is unpickled."""

    def __init__(self, sign: FilePath) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return FilePath.touch, (self.sign,)


def test_a_checkpoint_that_holds_code_is_not_read(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """What TRL's trainers read first and last is read by the rule; their first step is free of it."""
    import trl

    made, sign = stage(tmp_path, embedded), tmp_path / "it-ran"
    Grpo(**{**SMALL, "steps": 2}).train(made)
    last, step = newest_checkpoint(made)
    assert last is not None
    whole = (last / "optimizer.pt").read_bytes()
    with zipfile.ZipFile(last / "optimizer.pt") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(last / "optimizer.pt", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, pickle.dumps(Malicious(sign), 2) if name.endswith("data.pkl") else data)
    with pytest.raises(
        JobError, match=rf"stage 1-grpo: .*checkpoint-{step} is damaged, or holds something else than numbers, and is not read"
    ):
        Grpo(**SMALL).train(made)
    assert not sign.exists()
    (last / "optimizer.pt").write_bytes(whole)
    seen = []
    for verb in ("_load_from_checkpoint", "_load_rng_state", "compute_loss"):

        def noted(*args: Any, verb: str = verb, before: Any = getattr(trl.GRPOTrainer, verb), **options: Any) -> Any:
            seen.append((verb, STRICT in os.environ))
            return before(*args, **options)

        monkeypatch.setattr(trl.GRPOTrainer, verb, noted)
    Grpo(**SMALL).train(made)
    assert list(dict.fromkeys(seen)) == [("_load_from_checkpoint", True), ("_load_rng_state", True), ("compute_loss", False)]


RUN_FILE = """
out: {out}
model: adjudge_arithmetic:model
data: {{use: arithmetic, levels: [1, 2], size: 24}}
reporters: []
stages:
  - {{use: grpo, steps: {steps}, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5, save_every: {save_every}}}
"""
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))"
Start = Callable[..., Any]


def written(folder: FilePath, steps: int, save_every: int) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / "run.yaml"
    file.write_text(RUN_FILE.format(out=folder / "run", steps=steps, save_every=save_every))
    return str(file)


@pytest.fixture
def start(fork_adjudge: Start) -> Start:
    """Starts a run in a process of its own, in which no file may grow beyond a limit."""

    def begin(folder: FilePath, steps: int, save_every: int, limit: int | None = None) -> Any:
        return fork_adjudge("run", written(folder, steps, save_every), before=LIMITED.format(limit=limit) if limit else "")

    return begin


def steps_of(folder: FilePath) -> list[dict[str, Any]]:
    file = folder / "run" / "records" / "1-grpo-steps.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def rollouts_of(folder: FilePath) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run" / "records" / "1-grpo-rollouts.jsonl").read_text().splitlines()]


def test_sigterm_saves_a_checkpoint_and_the_same_command_goes_on_from_that_very_step(tmp_path: FilePath, start: Start) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    process = start(stopped, 6, 100)
    while len(steps_of(stopped)) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert stderr.strip().endswith("adjudge: stopped")
    assert "Traceback" not in stderr
    done = len(steps_of(stopped))
    assert 2 <= done < 6
    (checkpoint,) = (stopped / "run" / "stages" / "1-grpo" / "checkpoints").glob("checkpoint-*")
    assert checkpoint.name == f"checkpoint-{done}"
    for folder in (stopped, whole):
        process = start(folder, 6, 100)
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    assert rollouts_of(stopped) == rollouts_of(whole), "as if nobody had stopped it"


def test_sigterm_before_training_stops_at_once(tmp_path: FilePath) -> None:
    """While it still imports what it needs."""
    command = [sys.executable, "-m", "adjudge", "run", written(tmp_path / "early", 8, 100)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "early" / "run" / ".lock").exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in stderr


@pytest.mark.parametrize("limit", [500_000, 3_000_000])
def test_a_full_disk_stops_with_a_message_and_the_same_command_goes_on(tmp_path: FilePath, start: Start, limit: int) -> None:
    """No file may grow beyond what a model's weights take, or else its optimiser's state, as on a disk that fills up just then."""
    process = start(tmp_path / "full", 4, 2, limit)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    assert "stage 1-grpo: a file cannot be written or read" in stderr
    assert "Remedy: make room, and run again" in stderr
    assert "Traceback" not in stderr
    process = start(tmp_path / "full", 4, 2)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert [step["step"] for step in steps_of(tmp_path / "full")] == [1, 2, 3, 4]


def test_training_that_does_not_fit_into_memory_says_what_to_lower(
    tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trl

    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError("no memory left")

    monkeypatch.setattr(trl.GRPOTrainer, "compute_loss", full)
    with pytest.raises(
        JobError, match=r"a training step does not fit into memory: no memory left\n  Remedy: lower the stage's micro_batch"
    ):
        Grpo(**SMALL).train(stage(tmp_path, embedded))


def test_a_server_that_is_gone_is_no_full_disk(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    import trl

    def gone(*_: Any, **__: Any) -> Any:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(trl.GRPOTrainer, "_generate", gone)
    with pytest.raises(
        JobError, match=r"stage 1-grpo: a server that training needs does not answer: .*reset by peer\n  Remedy: see that it is"
    ):
        Grpo(**SMALL).train(stage(tmp_path, embedded))
