"""Killed at any time, a run goes on with the same command: nothing is recorded twice or done again, the numbers are the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FINISHED = ("*/result.json", "*/trained.json")
RUN_FILE = """
out: {out}
model: adjudge_arithmetic:model
data: {{use: arithmetic, levels: [1, 2], size: 48}}
reporters: {reporters}
stages:
  - {{use: grpo, steps: 4, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5, save_every: 1}}
  - {{use: sft, scorer: rstar, paths: 4, batch: 4, learning_rate: 5.0e-5, save_every: 1}}
  - {{use: grpo, only: hard, steps: 3, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5, save_every: 1}}
evaluation:
  sets:
    test: {{use: arithmetic, part: test, levels: [1, 2], size: 60}}
"""
KILLED_IN = (
    "1-grpo-steps",
    "1-grpo-evaluation-test",
    "2-sft-paths",
    "2-sft-steps",
    "3-grpo-probe",
    "3-grpo-steps",
    "3-grpo-evaluation-test",
)
"""Record files whose first lines are the sign to kill."""


def run_file(folder: Path, reporters: str = "[html]") -> str:
    folder.mkdir(exist_ok=True)
    file = folder / "run.yaml"
    file.write_text(RUN_FILE.format(out=folder / "run", reporters=reporters))
    return str(file)


Begin = Callable[..., Any]


def finish(folder: Path, begin: Begin, reporters: str = "[html]") -> list[dict[str, Any]]:
    """What a run says of its stages."""
    process = begin("run", run_file(folder, reporters), "--json")
    told, errors = process.communicate()
    assert process.returncode == 0, errors
    stages: list[dict[str, Any]] = json.loads(told)["stages"]
    return stages


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fork_adjudge: Begin) -> tuple[Path, list[dict[str, Any]]]:
    """A run that nobody stopped, and what it said of its stages."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finish(folder, fork_adjudge, "[]")


def kill_in(folder: Path, name: str, begin: Begin) -> None:
    """Run until a record file has two lines, then kill without warning."""
    process = begin("run", run_file(folder))
    file = folder / "run" / "records" / f"{name}.jsonl"
    while not (file.exists() and file.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None, f"the run ended before {name} had two records"
        time.sleep(0.002)
    process.kill()
    process.communicate()


def records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in (folder / "run" / "records").glob("*.jsonl")
    }


def numbers(stages: list[dict[str, Any]]) -> list[Any]:
    return [(stage["name"], stage["metrics"], stage["evaluation"]) for stage in stages]


def test_kill_in_every_stage(whole: tuple[Path, list[dict[str, Any]]], tmp_path: Path, fork_adjudge: Begin) -> None:
    unstopped, expected = whole
    killed = tmp_path / "killed"
    seen: dict[Path, int] = {}
    for name in KILLED_IN:
        kill_in(killed, name, fork_adjudge)
        done = [file for pattern in FINISHED for file in (killed / "run" / "stages").glob(pattern)]
        assert all(file.stat().st_mtime_ns == seen.get(file, file.stat().st_mtime_ns) for file in done), "finished work was redone"
        seen = {file: file.stat().st_mtime_ns for file in done}
    stages = finish(killed, fork_adjudge)
    assert all(file.stat().st_mtime_ns == time_ns for file, time_ns in seen.items()), "finished work was redone"
    assert (killed / "run" / "done.json").exists()
    assert (killed / "run" / "report.html").stat().st_size > 10_000
    manifest = json.loads((killed / "run" / "manifest.json").read_text())
    assert len(manifest["starts"]) == len(KILLED_IN) + 1
    found, reference = records(killed), records(unstopped)
    assert found.keys() == reference.keys()
    for name, rows in found.items():
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids)), f"{name} has a record twice"
        assert sorted(ids) == sorted(row["id"] for row in reference[name]), name
    assert numbers(stages) == numbers(expected)


def test_a_complete_run_is_left_as_it_is(whole: tuple[Path, list[dict[str, Any]]], fork_adjudge: Begin) -> None:
    folder, first = whole
    before = {file: file.stat().st_mtime_ns for file in (folder / "run").rglob("*") if file.is_file() and "records" in file.parts}
    assert numbers(finish(folder, fork_adjudge, "[]")) == numbers(first)
    assert before == {file: file.stat().st_mtime_ns for file in before}
