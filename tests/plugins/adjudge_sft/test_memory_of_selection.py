"""What a selection holds of its paths: some bytes of each, however many there are, counted by tracemalloc and not by a clock."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from adjudge import Completion, Engine, Judge, Plugins, Problem, Stage, validate
from adjudge.run import stage as stages
from adjudge.store import record_index, token_files
from adjudge_rstar import RStar
from adjudge_sft import Sft
from adjudge_sft.select import select

PATHS = 4
TEXT = "it is so <think>.</think> \\boxed{Assistant 1}"


class Same(Engine):
    """Gives the same completion again and again, in objects of their own."""

    use: Literal["same"] = "same"

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield self

    def sample(self, prompts: Sequence[Any], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, seed in enumerate(seeds):
            count = len(TEXT)
            logprobs = tuple(-(seed % 97 + place) / 1024 for place in range(count))
            yield index, Completion(TEXT, tuple(range(count)), tuple(range(1, count + 1)), logprobs)


def held(folder: Path, count: int) -> int:
    """Bytes in use once the paths are chosen, without the problems, which their owner holds."""
    judge: Any = validate(Judge, {"use": "rrm", "order": "fixed"}, Plugins.load(autoload=False), "judge")
    problems = [Problem(f"problem-{number}", f"Which is right, {number}?", ("12", "13"), 0) for number in range(count)]
    stage = Stage(1, "sft", folder / "stage", folder / "records", folder, folder, judge, Same(), problems)
    gc.collect()
    tracemalloc.start()
    try:
        chosen, _ = select(Sft(scorer=RStar(), paths=PATHS, keep=1), stage)
        gc.collect()
        now = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(chosen) == count
    assert chosen[count - 1].completion.text == TEXT
    return now


def test_a_selection_holds_some_bytes_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, size in (
        (stages, "WINDOW", 64), (record_index, "FEW", 32), (record_index, "INDEXED", 16), (token_files, "FULL", 20_000),
        (token_files, "BATCH", 256), (token_files, "KEPT", 2),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, size)
    held(tmp_path / "first", 16)  # what is imported and remembered once
    few, many = held(tmp_path / "few", 96), held(tmp_path / "many", 224)
    assert many - few < 100 * PATHS * (224 - 96)
