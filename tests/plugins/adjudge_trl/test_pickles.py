"""What a checkpoint's pickles may hold: what trainers save is read, and code is not run, whichever library does the reading, and how."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as shards

from adjudge import ConfigError, JobError, Stage
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_trl import fit
from adjudge_trl.pickles import LAX, STRICT

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled", "ignore:.*torch.jit", "ignore:TypedStorage is deprecated")
WEIGHTS = {"half": torch.arange(6, dtype=torch.bfloat16).view(2, 3), "whole": torch.ones(4)}
SAID = (
    r"stage 1-grpo: \S*checkpoint-1 is damaged, or holds something else than numbers, and is not read\..*\n"
    r"  Remedy: delete that checkpoint, and run again"
)


class Malicious:
    """What runs when it is unpickled."""

    def __init__(self, sign: FilePath) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return FilePath.touch, (self.sign,)


class Reader:
    """A trainer that reads a checkpoint in some library's way, and takes a step."""

    is_deepspeed_enabled = False

    def __init__(self, read: Callable[[FilePath], Any], step: Callable[[], Any] = lambda: None) -> None:
        self.read, self.step = read, step
        self.callbacks: list[Any] = []
        self.found: Any = None

    def add_callback(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def remove_callback(self, callback: Any) -> None:
        pass

    def train(self, resume_from_checkpoint: str | None) -> None:
        if resume_from_checkpoint:
            self.found = self.read(FilePath(resume_from_checkpoint))
        for callback in self.callbacks:
            callback.on_step_begin(None, None, None)
        self.step()


def stage(folder: FilePath) -> Stage:
    return Stage(1, "grpo", folder / "1-grpo", folder / "records", folder, folder, ArithmeticJudge(), HfEngine())


@pytest.fixture
def last(tmp_path: FilePath) -> FilePath:
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    return folder


# As libraries write and read --------------------------------------------------------------------------------------------------


def trusted(folder: FilePath) -> Any:
    """As DeepSpeed reads."""
    return torch.load(folder / "states.pt", weights_only=False)


def sharded(folder: FilePath) -> Any:
    """As accelerate reads FSDP's shards."""
    found: dict[str, Any] = {**{name: torch.zeros_like(weights) for name, weights in WEIGHTS.items()}, "more": None}
    shards.load(found, checkpoint_id=folder / "model_0")
    return found


def saved(folder: FilePath, more: Any, **options: Any) -> None:
    torch.save({**WEIGHTS, "more": more}, folder / "states.pt", **options)


def saved_before_zip(folder: FilePath, more: Any) -> None:
    saved(folder, more, _use_new_zipfile_serialization=False)


def saved_as_shards(folder: FilePath, more: Any) -> None:
    shards.save({**WEIGHTS, "more": more}, checkpoint_id=folder / "model_0")


def saved_as_contents(folder: FilePath, more: Any, name: str = ".metadata") -> None:
    """Shards as they should be, and something more in their table of contents."""
    saved_as_shards(folder, 1)
    file = folder / "model_0" / ".metadata"
    contents = pickle.loads(file.read_bytes())
    contents.planner_data["more"] = (more,)
    file.unlink()
    file.with_name(name).write_bytes(pickle.dumps(contents))


def saved_as_contents_of_a_process(folder: FilePath, more: Any) -> None:
    """The file that torch looks for where there is no table of contents for all."""
    saved_as_contents(folder, more, "__0.metadata")


def saved_behind_a_link(folder: FilePath, more: Any) -> None:
    elsewhere = folder.with_name("elsewhere")
    saved_as_contents(elsewhere, more)
    (folder / "model_0").symlink_to(elsewhere / "model_0")


WAYS = [
    (saved, trusted),
    (saved_before_zip, trusted),
    (saved_as_shards, sharded),
    (saved_as_contents, sharded),
    (saved_as_contents_of_a_process, sharded),
    (saved_behind_a_link, sharded),
]


@pytest.mark.parametrize(("save", "read"), WAYS)
def test_numbers_and_text_are_read(last: FilePath, tmp_path: FilePath, save: Any, read: Any) -> None:
    save(last, "text")
    reader = Reader(read)
    fit(reader, stage(tmp_path), last)
    assert all(torch.equal(reader.found[name], weights) for name, weights in WEIGHTS.items())


@pytest.mark.parametrize(("save", "read"), WAYS)
def test_code_is_not_run(last: FilePath, tmp_path: FilePath, save: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sign = tmp_path / "it-ran"
    monkeypatch.setenv(LAX, "1")
    save(last, Malicious(sign))
    with pytest.raises(JobError, match=SAID) as caught:
        fit(Reader(read), stage(tmp_path), last)
    assert any(f" It names {how}.\n" in str(caught.value) for how in ("pathlib.Path.touch", "getattr")), "as pickles of then and now do"
    assert not sign.exists()
    with suppress(shards.CheckpointException):
        read(last)
    assert sign.exists(), "elsewhere it does what it was made for"


def test_a_model_that_was_compiled_is_not_read(last: FilePath, tmp_path: FilePath) -> None:
    torch.jit.script(torch.nn.Linear(1, 1)).save(last / "states.pt")
    with pytest.raises(JobError, match=SAID):
        fit(Reader(trusted), stage(tmp_path), last)


def test_a_damaged_table_of_contents_is_told_as_such(last: FilePath, tmp_path: FilePath) -> None:
    saved_as_shards(last, 1)
    file = last / "model_0" / ".metadata"
    whole = file.read_bytes()
    for damaged in (whole[:-20], whole[:1], b"", whole.replace(b"TensorProperties", b"TensorProperty\x00\x00"), b"\x80\x04N}b."):
        file.write_bytes(damaged)
        with pytest.raises(JobError, match=SAID):
            fit(Reader(sharded), stage(tmp_path), last)


def test_what_dynamic_scaling_of_losses_saves_is_read(last: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half precision takes it, which DeepSpeed has on GPUs alone."""
    scaling = pytest.importorskip("deepspeed.runtime.fp16.loss_scaler", reason="DeepSpeed is not installed")
    monkeypatch.setattr(Reader, "is_deepspeed_enabled", True)
    reader = Reader(trusted)
    reader.accelerator = SimpleNamespace(state=SimpleNamespace(deepspeed_plugin=SimpleNamespace(deepspeed_config={})))  # type: ignore[attr-defined]
    saved(last, scaling.DynamicLossScaler(2.0**16, 1000, 1.0, 2, False))
    fit(reader, stage(tmp_path), last)
    assert reader.found["more"].cur_scale == 2.0**16


# What is left as it was -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [{}, {LAX: "1"}, {STRICT: "1"}, {LAX: "1", STRICT: "0"}])
def test_only_the_checkpoint_is_read_like_that(
    last: FilePath, tmp_path: FilePath, before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading ends with the first step: what a step reads, a reward's own model perhaps, is not ours to refuse."""
    for name in (STRICT, LAX):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)

    def ours() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name in (STRICT, LAX)}

    seen: list[dict[str, str]] = []
    reader = Reader(lambda _: seen.append(ours()), lambda: seen.append(ours()))
    fit(reader, stage(tmp_path), last)
    fit(reader, stage(tmp_path), None)
    assert seen == [{STRICT: "1"}, before, before]
    with pytest.raises(ValueError, match="at once"):
        fit(Reader(raises(ValueError("at once"))), stage(tmp_path), last)
    assert ours() == before


def raises(error: Exception) -> Callable[..., Any]:
    def run(*_: Any) -> Any:
        raise error

    return run


def test_a_pickle_that_a_step_refuses_does_not_name_the_checkpoint(last: FilePath, tmp_path: FilePath) -> None:
    error = pickle.UnpicklingError("of a reward")
    for folder in (last, None):
        with pytest.raises(pickle.UnpicklingError) as caught:
            fit(Reader(lambda _: None, raises(error)), stage(tmp_path), folder)
        assert caught.value is error


# What cannot be read like that ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{}, {"host_cache_size": 16}, True])
def test_checkpoints_that_datastates_would_unpickle_are_refused_before_there_are_any(tmp_path: FilePath, value: Any) -> None:
    settings = {"zero_optimization": {"stage": 1}, "datastates_ckpt": value}
    reader = Reader(raises(AssertionError("never")), raises(AssertionError("never")))
    reader.is_deepspeed_enabled = True
    reader.accelerator = SimpleNamespace(state=SimpleNamespace(deepspeed_plugin=SimpleNamespace(deepspeed_config=settings)))  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"datastates_ckpt, in DeepSpeed's settings: .*\n  Remedy: leave it out"):
        fit(reader, stage(tmp_path), None)
