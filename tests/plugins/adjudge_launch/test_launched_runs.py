"""Runs over two processes for real: the same paths as with one, GRPO's groups across processes, kills and stops, two machines.

A launch costs what its processes import, several times what they do; so they are forks, but for a test in `test_workers`, and a run
that goes on after one end is ended once more on its way.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest

from adjudge import ReasoningPath, Records

pytestmark = pytest.mark.slow

RUN_FILE = """
out: {out}
model: adjudge_arithmetic:model
data: {{use: arithmetic, levels: [1], size: 40}}
reporters: {reporters}
engine: {{use: hf, batch_tokens: {batch}}}
stages: [{stages}]
evaluation: {{sets: {sets}}}
launch: {launch}
"""
SFT = "{use: sft, scorer: rstar, rescore: true, paths: 3, batch: 64, learning_rate: 5.0e-5}"
STEPS = 4


def grpo(steps: int) -> str:
    """The stage with this many steps."""
    return f"{{use: grpo, steps: {steps}, prompts_per_step: 5, group: 4, learning_rate: 5.0e-5, save_every: 1, rules: [verdict, format]}}"


BOTH = (f"{SFT}, {grpo(STEPS)}", "{test: {use: arithmetic, part: test, levels: [1], size: 120}}")


def written(
    folder: Path, launch: str, stages: str, sets: str = "{}", out: Path | None = None, reporters: str = "[progress]", batch: int = 8000
) -> str:
    """A run file; in a small `batch`, of tokens, paths end one after the other."""
    folder.mkdir(exist_ok=True)
    file = folder / "run.yaml"
    file.write_text(RUN_FILE.format(out=out or folder / "run", launch=launch, stages=stages, sets=sets, reporters=reporters, batch=batch))
    return str(file)


Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(fork_adjudge: Callable[..., subprocess.Popen[str]]) -> Start:
    """Begins a run."""
    return lambda file: fork_adjudge("run", file, "--json")


Finish = Callable[[str], tuple[list[dict[str, Any]], str]]


@pytest.fixture(scope="module")
def finish(fork_adjudge: Callable[..., subprocess.Popen[str]]) -> Finish:
    """What a run says of its stages and of its progress."""

    def call(file: str) -> tuple[list[dict[str, Any]], str]:
        process = fork_adjudge("run", file, "--json")
        out, told = process.communicate()
        assert process.returncode == 0, told
        stages: list[dict[str, Any]] = json.loads(out)["stages"]
        return stages, told

    return call


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    file = folder / "run" / "records" / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def lines(file: Path) -> list[str]:
    """With their ends, so that one which is half written shows; none where there is no file."""
    try:
        return file.read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []


def wait_for(process: subprocess.Popen[str], folder: Path, name: str, count: int) -> None:
    while len(records(folder, name)) < count:
        assert process.poll() is None, f"the run ended before {name} had {count} records"
        time.sleep(0.01)


def workers(folder: Path, stage: str) -> dict[int, int]:
    """Process ids by rank."""
    return {int(file.suffix[1:]): int(file.read_text()) for file in (folder / "run" / "stages" / stage / "launch").glob("pid-0.*")}


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, finish: Finish) -> tuple[Path, list[dict[str, Any]], str]:
    """A run over two processes, once for all tests that look at it."""
    folder = tmp_path_factory.mktemp("launched") / "two"
    return folder, *finish(written(folder, "{processes: 2}", *BOTH, reporters="[progress, html]"))


def apart(one: Path, other: Path) -> float:
    """Share of the fine-tuned weights that differ by more than a hundredth of what one step of AdamW changes."""
    from safetensors.numpy import load_file

    here, there = (load_file(folder / "run" / "stages" / "1-sft" / "model" / "model.safetensors") for folder in (one, other))
    differ = sum(int((abs(here[name] - there[name]) > 5e-7).sum()) for name in here)
    return differ / sum(weights.size for weights in here.values())


def test_two_processes_choose_the_paths_that_one_chooses_and_train_as_well(two: Any, tmp_path: Path, finish: Finish) -> None:
    folder, stages, told = two
    alone, _ = finish(written(tmp_path / "one", "null", *BOTH))
    for name in ("0-base-evaluation-test", "1-sft-paths", "1-sft-selected"):
        here, there = ({row["id"]: row["completion"]["text"] for row in records(one, name)} for one in (folder, tmp_path / "one"))
        assert here == there, name
        assert len(records(folder, name)) == len(here), "no record twice"
    scores, others = ({row["id"]: row["value"] for row in records(one, "1-sft-scores")} for one in (folder, tmp_path / "one"))
    assert scores == pytest.approx(others, abs=1e-5)
    assert stages[1]["metrics"] == alone[1]["metrics"]
    [step], [same] = records(folder, "1-sft-steps"), records(tmp_path / "one", "1-sft-steps")
    assert step["loss"] == pytest.approx(same["loss"], rel=1e-4), "one step, shared out, is the step of one process"
    assert apart(folder, tmp_path / "one") < 0.001
    for one, other in zip(stages, alone, strict=True):
        difference = one["evaluation"]["test"]["accuracy"] - other["evaluation"]["test"]["accuracy"]
        assert abs(difference) <= 3 * (2 * 0.25 / 120) ** 0.5, one["name"]
    assert not list((folder / "run").rglob("launch"))
    assert not list((folder / "run").rglob("*.part*"))
    assert "1-sft" in told, "progress was shown"
    assert (folder / "run" / "report.html").stat().st_size > 10_000


def test_groups_that_lie_in_two_processes_are_looked_at_whole(two: Any) -> None:
    """Five groups of four in two processes: the third lies in both."""
    folder, _, _ = two
    steps, rollouts = records(folder, "2-grpo-steps"), records(folder, "2-grpo-rollouts")
    assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
    assert len({row["id"] for row in rollouts}) == len(rollouts) == STEPS * 5 * 4
    for step, found in groupby(rollouts, key=lambda row: row["step"]):
        mine = list(found)
        groups = [mine[place : place + 4] for place in range(0, 20, 4)]
        assert all(len({(row["problem_id"], row["order"]) for row in group}) == 1 for group in groups)
        told = steps[step - 1]
        assert told["accuracy"] == pytest.approx(sum(row["right"] for row in mine) / 20)
        assert told["reward"] == pytest.approx(sum(row["reward"] for row in mine) / 20)
        uniform = sum(len({row["right"] for row in group}) == 1 for group in groups)
        assert told["skipped_groups"] == pytest.approx(uniform / 5)


def test_after_a_killed_process_and_after_sigterm_the_same_command_goes_on_from_a_checkpoint(
    tmp_path: Path, start: Start, finish: Finish
) -> None:
    file = written(tmp_path, "{processes: 2}", grpo(8))
    process = start(file)
    wait_for(process, tmp_path, "1-grpo-steps", 3)
    os.kill(workers(tmp_path, "1-grpo")[1], signal.SIGKILL)
    killed = time.monotonic()
    _, told = process.communicate(timeout=60)
    assert time.monotonic() - killed < 45
    assert process.returncode == 1
    assert "adjudge: stage 1-grpo: process 1 of 2 ended without a word" in told
    assert "rank-1.log" in told
    assert "Traceback (most recent call last)" not in told.split("adjudge: stage", maxsplit=1)[0]
    before = {row["step"]: row for row in records(tmp_path, "1-grpo-steps")}

    process = start(file)
    wait_for(process, tmp_path, "1-grpo-steps", len(before) + 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    steps = records(tmp_path, "1-grpo-steps")
    assert len(before) < len(steps) < 8, "it was stopped on its way"
    assert sum(before.get(row["step"]) == row for row in steps) >= 2, "it went on from a checkpoint"
    assert (tmp_path / "run" / "stages" / "1-grpo" / "checkpoints" / f"checkpoint-{len(steps)}" / "trainer_state.json").exists()

    stages, _ = finish(file)
    after, rollouts = records(tmp_path, "1-grpo-steps"), records(tmp_path, "1-grpo-rollouts")
    assert after[: len(steps)] == steps, "no step was made again"
    assert [row["step"] for row in after] == list(range(1, 9))
    assert len({row["id"] for row in rollouts}) == len(rollouts) == 8 * 20
    assert stages[1]["metrics"]["steps"] == 8


def test_a_kill_and_a_stop_while_sampling_lose_no_path_and_one_process_may_go_on(tmp_path: Path, start: Start, finish: Finish) -> None:
    """The kill is of the first process itself, without a word to the others; the stop ends all of them."""
    folder, made = tmp_path / "run" / "records", set[str]()
    for number, part, enough in ((signal.SIGKILL, 0, 4), (signal.SIGINT, 1, 2)):
        process, file = start(written(tmp_path, "{processes: 2}", SFT, batch=2000)), folder / f"1-sft-paths.jsonl.part{part}"
        while len({without_row(line) for line in lines(file) if line.endswith("\n")} - made) < enough:
            assert process.poll() is None
            time.sleep(0.002)
        begun = workers(tmp_path, "1-sft").values()
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        while not all(map(ended, begun)):  # what they still write is theirs, and no sign that the next run samples already
            time.sleep(0.01)
        there = {line for file in folder.glob("1-sft-paths.jsonl*") for line in lines(file)}
        if number == signal.SIGINT:
            assert process.returncode == 130, told
            assert told.endswith("adjudge: stopped\n")
            assert all(line.endswith("\n") for line in there)
        whole = {without_row(line) for line in there if line.endswith("\n")}
        assert made <= whole
        made = whole
    finish(written(tmp_path, "null", SFT))
    kept = lines(folder / "1-sft-paths.jsonl")
    assert made <= set(map(without_row, kept))
    assert len(kept) == 40 * 3
    paths = Records(folder / "1-sft-paths.jsonl").load(ReasoningPath)
    assert all(path.completion.token_ends[-2:][0] <= len(path.completion.text) == max(path.completion.token_ends) for path in paths)


def without_row(line: str) -> str:
    """A record's line but for where its tokens are, which is another place once the parts are joined."""
    row = json.loads(line)
    row["completion"].pop("row", None)
    return json.dumps(row)


def two_machines(port: int) -> str:
    """The `launch:` of two machines, which both are this one; they know of each other through the run folder and a port."""
    return f"processes: 2, machines: 2, main_process_ip: 127.0.0.1, main_process_port: {port}"


def test_a_stop_of_one_machine_stops_the_processes_of_all_after_a_checkpoint(tmp_path: Path, free_port: int, start: Start) -> None:
    where = two_machines(free_port)
    second = start(written(tmp_path / "second", f"{{{where}, machine_rank: 1}}", grpo(6), out=tmp_path / "first" / "run"))
    first = start(written(tmp_path / "first", f"{{{where}}}", grpo(6)))
    wait_for(first, tmp_path / "first", "1-grpo-steps", 2)
    pid = int((tmp_path / "first" / "run" / "stages" / "1-grpo" / "launch" / "pid-1.1").read_text())
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=120)
    assert first.returncode == 143
    steps = records(tmp_path / "first", "1-grpo-steps")
    saved = tmp_path / "first" / "run" / "stages" / "1-grpo" / "checkpoints" / f"checkpoint-{len(steps)}"
    assert {"trainer_state.json", "rng_state_0.pth", "rng_state_1.pth"} <= {file.name for file in saved.iterdir()}
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists(), "the other machine's process has ended too"
    assert second.poll() is None, "the other machine waits for the run to go on"
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=60)
    assert second.returncode == 143


def test_two_machines_work_on_one_run(tmp_path: Path, free_port: int, start: Start, finish: Finish) -> None:
    where = two_machines(free_port)
    second = start(written(tmp_path / "second", f"{{{where}, machine_rank: 1}}", grpo(2), out=tmp_path / "first" / "run"))
    stages, _ = finish(written(tmp_path / "first", f"{{{where}}}", grpo(2)))
    out, told = second.communicate(timeout=60)
    assert second.returncode == 0, told
    assert json.loads(out)["stages"] == stages
    assert [step["step"] for step in records(tmp_path / "first", "1-grpo-steps")] == [1, 2]
