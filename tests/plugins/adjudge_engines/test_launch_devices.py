"""Each process of a launch samples on a GPU of its own, or says why it cannot; no GPU is needed to be told."""

from __future__ import annotations

from typing import Any

import pytest

from adjudge import ConfigError
from adjudge_engines import hf


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes torch believe that there are so many GPUs, and this the process of that rank."""

    def there_are(count: int, rank: int | None = None, processes: int = 1) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        monkeypatch.setattr("torch.zeros", lambda size, device: None)
        for name, value in {"LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": None if rank is None else processes}.items():
            monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, str(value))

    return there_are


@pytest.mark.parametrize(
    ("name", "rank", "processes", "found"),
    [
        (None, None, 1, "cuda"),
        (None, 1, 2, "cuda:1"),
        ("cuda", 1, 2, "cuda:1"),
        ("cuda:1", None, 1, "cuda:1"),
        ("cuda:1", 0, 1, "cuda:1"),
        ("cpu", 1, 2, "cpu"),
    ],
)
def test_a_process_takes_the_gpu_of_its_rank_unless_another_is_named(
    gpus: Any, name: str | None, rank: int | None, processes: int, found: str
) -> None:
    gpus(2, rank, processes)
    assert str(hf._device(name)) == found


def test_more_processes_than_gpus_are_told_by_the_field_that_says_how_many(gpus: Any) -> None:
    gpus(1, 1, 2)
    with pytest.raises(ConfigError, match=r"launch\.processes: 2 of them are on this machine, where torch finds 1 GPU.*\n  Remedy: lower"):
        hf._device(None)


def test_one_gpu_for_all_processes_is_refused(gpus: Any) -> None:
    gpus(2, 0, 2)
    with pytest.raises(ConfigError, match=r"engine\.device: all 2 processes of this machine .* on cuda:0\.\n  Remedy: leave it out"):
        hf._device("cuda:0")


@pytest.mark.parametrize("name", ["cuda:7", "abacus"])
def test_a_device_that_torch_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=rf"engine\.device: '{name}' cannot be used: .*\n  Remedy: leave it out, or name a device"):
        hf._device(name)
