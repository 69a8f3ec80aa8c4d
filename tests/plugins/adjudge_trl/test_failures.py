"""What memory, a server and a disk refuse is told apart, each with its own remedy; everything else passes as it is."""

from __future__ import annotations

import errno
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as shards
from safetensors.torch import load

from adjudge import ConfigError, JobError, Stage
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_trl import check_trl, start_trainer
from adjudge_trl.failures import as_job_error, one_cause

OfRequests = type("ConnectionError", (OSError,), {"__module__": "requests.exceptions"})
"""TRL speaks to vLLM's server through requests, where that is installed; its errors are OSErrors without a file or a number."""


def stage(folder: FilePath) -> Stage:
    return Stage(1, "grpo", folder / "1-grpo", folder / "records", folder, folder, ArithmeticJudge(), HfEngine())


def raises(error: Exception) -> Callable[[], Any]:
    def make() -> Any:
        raise error

    return make


def saved_by_torch() -> None:
    """To a device that is always full."""
    torch.save({"weights": torch.zeros(100_000)}, "/dev/full")


def damaged_weights() -> None:
    load(b'\x10\x00\x00\x00\x00\x00\x00\x00{"a": "a tensor"}')


MEMORY, SERVER, ROOM = "does not fit into memory", "a server that training needs does not answer", "Remedy: make room, and run again"
ALLOWED = "Remedy: see that it is there and may be written, and run again"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            raises(torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")),
            f"a step {MEMORY}: CUDA out of memory.\n  Remedy: less.",
        ),
        (raises(MemoryError()), f"a step {MEMORY}: MemoryError\n"),
        (lambda: torch.empty(10**15), MEMORY),
        (raises(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")), SERVER),
        (raises(TimeoutError("timed out")), SERVER),
        (raises(OfRequests("HTTPConnectionPool(host='127.0.0.1', port=8000): Max retries exceeded")), SERVER),
        (raises(OSError(errno.ENOSPC, "No space left on device")), ROOM),
        (saved_by_torch, ROOM),
        (damaged_weights, "weights cannot be read, for their file is damaged"),
        (raises(PermissionError(errno.EACCES, "Permission denied", "/a/file")), ALLOWED),
        (lambda: FilePath("/no/such/folder/file").write_text(""), ALLOWED),
    ],
)
def test_each_is_told_with_its_remedy(tmp_path: FilePath, make: Callable[[], Any], expected: str) -> None:
    with pytest.raises(JobError) as caught, as_job_error(stage(tmp_path), "a step", "less."):
        make()
    assert str(caught.value).startswith("stage 1-grpo: ")
    assert expected in str(caught.value)
    assert "\n  Remedy: " in str(caught.value)
    with pytest.raises(JobError, match="stage 1-grpo: "):
        start_trainer(stage(tmp_path), make, {"bf16": True})


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_disk_that_is_full_for_shards_is_told_like_any_other(tmp_path: FilePath) -> None:
    (tmp_path / "__0_0.distcp").symlink_to("/dev/full")
    with pytest.raises(JobError) as caught, as_job_error(stage(tmp_path), "a step", "less."), one_cause():
        shards.save({"weights": torch.zeros(100_000)}, checkpoint_id=tmp_path)
    assert str(caught.value).startswith("stage 1-grpo: a file cannot be written")
    assert ROOM in str(caught.value)


@pytest.mark.parametrize("error", [OSError("Can't load the configuration"), ValueError("bf16"), KeyError("x"), JobError("told already")])
def test_what_is_no_failure_from_outside_passes(tmp_path: FilePath, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, as_job_error(stage(tmp_path), "a step", "less."):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("error", [OSError("Can't load the configuration"), ValueError("bf16"), RuntimeError("no such device")])
def test_any_other_error_names_the_table_where_there_is_one(tmp_path: FilePath, error: Exception) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0\.trl: \w+Error: .*\n  Remedy: mend these options"):
        start_trainer(stage(tmp_path), raises(error), {"bf16": True})
    with pytest.raises(type(error)) as caught:
        start_trainer(stage(tmp_path), raises(error), {})
    assert caught.value is error


def test_a_mistake_outside_the_table_does_not_name_it(tmp_path: FilePath) -> None:
    error = ConfigError("stages.0.temperature: the judge is greedy")
    with pytest.raises(ConfigError) as caught:
        start_trainer(stage(tmp_path), raises(error), {"bf16": True})
    assert caught.value is error


def test_a_folder_that_trl_takes_for_vllm_is_named(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    if (spec := find_spec("vllm")) is not None and spec.origin is not None:
        pytest.skip("vLLM is installed, which goes before a folder")
    check_trl()
    (tmp_path / "vllm").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    message = rf"^{tmp_path}/vllm lies where Python looks for libraries, and TRL takes it for vLLM\.\n  Remedy: start in another folder"
    with pytest.raises(ConfigError, match=message):
        Grpo(steps=1).check_judge(ArithmeticJudge(), "stages.0")
