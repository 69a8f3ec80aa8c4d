"""A run tells of tokens while a batch is under way: before the first record of a file, and after a stop from what the file holds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from adjudge_engines import sampled_tokens
from adjudge_judges import ArithmeticJudge
from adjudge_report import ProgressDisplay
from adjudge_report.progress import ProgressObserver


@pytest.fixture
def shown() -> Iterator[tuple[io.StringIO, ProgressObserver]]:
    text = io.StringIO()
    observer = ProgressObserver(ProgressDisplay(0, Console(file=text)))
    yield text, observer
    observer.close()


def stage_in(folder: Path, **totals: int) -> Any:
    judge = ArithmeticJudge(max_new_tokens=100)
    return SimpleNamespace(name="1-sft", index=1, records_folder=folder, totals=totals, judge=judge)


def begin(observer: ProgressObserver, stage: Any) -> None:
    run: Any = SimpleNamespace(config=SimpleNamespace(stages=[1]))
    observer.stage_started(run, stage)


def judged(ident: str) -> dict[str, Any]:
    return {"id": ident, "outcome": "first", "completion": {"text": "so", "tokens": 50}}


def test_tokens_are_told_before_anything_is_recorded(shown: tuple[io.StringIO, ProgressObserver], tmp_path: Path) -> None:
    text, observer = shown
    begin(observer, stage_in(tmp_path, paths=4))
    observer.look()
    assert "paths" not in text.getvalue(), "nothing is sampled yet"
    sampled_tokens.add(120)
    observer.look()
    assert "1-sft paths: 0 of 4, " in text.getvalue()
    assert "tokens/s" in text.getvalue()


def test_what_was_there_before_a_stop_is_counted_once(shown: tuple[io.StringIO, ProgressObserver], tmp_path: Path) -> None:
    text, observer = shown
    stage = stage_in(tmp_path, done=1, paths=4)
    for name in ("done", "paths"):
        (tmp_path / f"1-sft-{name}.jsonl").write_text(json.dumps(judged("1")) + "\n")
    begin(observer, stage)
    sampled_tokens.add(60)
    observer.look()
    assert "1-sft paths: 1 of 4, " in text.getvalue(), "not the file that is complete"
    with (tmp_path / "1-sft-paths.jsonl").open("a") as out:
        out.write(json.dumps(judged("2")) + "\n")
    observer.record_written(stage, "paths", judged("2"))
    assert "1-sft paths: 2 of 4, " in text.getvalue().splitlines()[-1]


def test_tokens_of_work_that_is_complete_belong_to_no_other(shown: tuple[io.StringIO, ProgressObserver], tmp_path: Path) -> None:
    text, observer = shown
    stage = stage_in(tmp_path, paths=1)
    begin(observer, stage)
    sampled_tokens.add(50)
    observer.record_written(stage, "paths", judged("1"))
    stage.totals["steps"] = 7
    observer.look()
    assert "steps" not in text.getvalue()
    sampled_tokens.add(1)
    observer.look()
    assert "1-sft steps: 0 of 7, " in text.getvalue()


def test_a_run_of_the_embedded_judge_tells_of_its_tokens(embedded: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is absent: the embedded judge needs it")
    from adjudge import Plugins, Run, RunConfig, validate

    plugins = Plugins.load()
    settings = {
        "out": str(tmp_path / "run"), "model": str(embedded), "data": {"use": "arithmetic", "size": 4}, "stages": [],
        "evaluation": {"sets": {"held-out": {"use": "arithmetic", "size": 32, "part": "test"}}},
        "reporters": [],
    }  # fmt: skip
    run = Run(validate(RunConfig, settings, plugins, "run.yaml"), plugins)
    text = io.StringIO()
    observer = ProgressObserver(ProgressDisplay(0.01, Console(file=text)))
    plugins.hooks.register(observer, name="watching")
    run.execute()
    lines = [line for line in text.getvalue().splitlines() if "evaluation-held-out" in line]
    assert any("evaluation-held-out: 0 of 32, " in line and "tokens/s" in line for line in lines), lines
