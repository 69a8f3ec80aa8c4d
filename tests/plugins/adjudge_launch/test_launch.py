"""Several processes on one stage: who asks for what, whose records are whose, and what the run file may say about it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, Engine, JobError, Plugins, Records, Run, RunConfig, Stage, validate
from adjudge_launch import AccelerateLauncher, FolderProcessGroup, LaunchedStage
from adjudge_launch.shared_records import ReadRecords
from adjudge_launch.workers import Workers, _alive

STAGE = {"index": 1, "use": "grpo", "model": FilePath(), "base": FilePath(), "judge": None, "engine": Engine.model_construct(use="any")}


def work_together(folder: FilePath, size: int, work: Callable[[Stage], Any], **more: Any) -> list[Any]:
    """What every process of a group makes of its stage; threads stand for processes, which share nothing but the folder either."""
    (folder / "signs").mkdir(parents=True, exist_ok=True)

    def one(rank: int) -> Any:
        where = {"folder": folder / "stage", "records_folder": folder / "records"}
        return work(LaunchedStage(**{**STAGE, **more, **where}, process_group=FolderProcessGroup(rank, size, folder / "signs")))

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def fill(stage: Stage, ids: list[int], stop_after: int | None = None) -> list[Any]:
    """Write a record for every id that is missing, each process its share; perhaps stop before the parts are joined."""
    with stage.shared("paths", len(ids)) as records:
        for done, ident in enumerate(stage.shard([ident for ident in ids if ident not in records.ids])):
            if done == stop_after:
                raise InterruptedError
            records.append({"id": ident, "by": stage.process_group.rank})
    return [record["id"] for record in records]


@given(size=st.integers(1, 4), again=st.integers(1, 4), count=st.integers(0, 12), stop_after=st.integers(0, 3))
def test_shares_are_joined_without_loss_or_repeat_also_after_a_stop_and_in_another_number(
    tmp_path_factory: pytest.TempPathFactory, size: int, again: int, count: int, stop_after: int
) -> None:
    folder, ids = tmp_path_factory.mktemp("processes"), list(range(count))

    def stopped(stage: Stage) -> None:
        with pytest.raises(InterruptedError):
            fill(stage, [*ids, *range(100, 100 + size * (stop_after + 1))], stop_after)

    work_together(folder, size, stopped)
    for sign in (folder / "signs").iterdir():
        sign.unlink()
    found = work_together(folder, again, lambda stage: fill(stage, ids))
    assert all(sorted(one) == sorted(found[0]) for one in found)
    assert sorted(one for one in found[0] if one < 100) == ids
    assert len(found[0]) == len(set(found[0]))
    assert [file.name for file in (folder / "records").iterdir() if ".part" in file.name] == []


def test_every_process_has_a_share_and_only_the_main_one_writes_the_stages_own_records(tmp_path: FilePath) -> None:
    def work(stage: Stage) -> int:
        steps = stage.records("steps", 2)
        steps.append({"id": "step-1"})
        steps.keep(lambda record: False)
        steps.append({"id": "step-2"})
        stage.process_group.barrier()
        assert [record["id"] for record in stage.records("steps")] == ["step-2"]
        return len(stage.shard(range(7)))

    assert work_together(tmp_path, 3, work) == [3, 2, 2]
    assert (tmp_path / "records" / "1-grpo-steps.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("size", [1, 2])
def test_records_that_all_fill_are_dropped_for_all(tmp_path: FilePath, size: int) -> None:
    """Those of before as well as those that each process has just written."""
    work_together(tmp_path, size, lambda stage: fill(stage, [1, 2, 3, 4]))
    for sign in (tmp_path / "signs").iterdir():
        sign.unlink()

    def work(stage: Stage) -> list[Any]:
        with stage.shared("paths") as records:
            for ident in stage.shard([5, 6, 7, 8]):
                records.append({"id": ident})
            records.keep(lambda record: record["id"] % 2 == 0)
            before = sorted(records.ids)
        return [before, sorted(records.ids)]

    assert all(last == [2, 4, 6, 8] and {2, 4} <= set(first) <= set(last) for first, last in work_together(tmp_path, size, work))


class Alone(Engine):
    """One that spreads by itself."""

    per_process = False
    use: str = "alone"


def test_an_engine_that_spreads_by_itself_is_opened_and_asked_by_the_main_process(tmp_path: FilePath) -> None:
    opened: list[int] = []

    class Counted(Alone):
        def open(self, model: FilePath) -> Any:
            opened.append(1)
            return open(os.devnull)

    def work(stage: Stage) -> list[int]:
        with stage.open(tmp_path) as session:
            if not stage.process_group.is_main_process:
                with pytest.raises(RuntimeError, match="main process alone"):
                    session.sample([], seeds=[], temperature=0, top_p=1, max_new_tokens=1)
        return list(stage.shard([1, 2, 3]))

    assert work_together(tmp_path, 2, work, engine=Counted()) == [[1, 2, 3], []]
    assert opened == [1]


def test_nobody_goes_on_before_all_have_come(tmp_path: FilePath) -> None:
    came: list[float] = []

    def work(stage: Stage) -> float:
        time.sleep(0.15 * stage.process_group.rank)
        came.append(time.monotonic())
        stage.process_group.barrier()
        return time.monotonic()

    assert min(work_together(tmp_path, 3, work)) >= max(came)


def test_a_file_that_another_process_writes_is_neither_written_nor_cut(tmp_path: FilePath) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"id": 1}\n{"id": 2')
    before = file.read_bytes()
    ReadRecords(file).append({"id": 3})
    ReadRecords(file).keep(lambda record: False)
    assert file.read_bytes() == before
    assert Records(file).ids == {1}


def run_config(plugins: Plugins, folder: FilePath, launch: Any, **stage: Any) -> RunConfig:
    data = {
        "out": str(folder / "out"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4},
        "stages": [{"use": "grpo", **stage}], "reporters": [], "launch": launch,
    }  # fmt: skip
    return validate(RunConfig, data, plugins, "run.yaml")


@pytest.mark.parametrize(
    ("launch", "message"),
    [
        ({"processes": 0}, "launch.processes: Input should be greater than or equal to 1"),
        ({"procs": 2}, "launch.procs: there is no such field; did you mean 'processes'?"),
        ({"processes": 3, "machines": 2}, "launch: processes 3 cannot be shared out equally over 2 machines"),
        ({"processes": 2, "machines": 2}, "several machines need main_process_ip and main_process_port"),
        ({"processes": 2, "machine_rank": 1}, "machine_rank 1 is none of 0 to 0"),
    ],
)
def test_mistakes_in_launch_are_told_with_their_field(plugins: Plugins, tmp_path: FilePath, launch: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        run_config(plugins, tmp_path, launch)
    assert message in str(error.value)


def test_a_stage_that_cannot_be_shared_out_is_told_before_anything_is_done(plugins: Plugins, tmp_path: FilePath) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0: a step of 6 cannot be shared out over 4 processes.*\n  Remedy: .*launch\.processes"):
        Run(run_config(plugins, tmp_path, {"processes": 4}, prompts_per_step=3, group=2), plugins)
    assert not (tmp_path / "out").exists()


def test_accelerates_own_configuration_is_kept_and_numbers_are_the_run_files(tmp_path: FilePath) -> None:
    file = tmp_path / "fsdp.yaml"
    file.write_text("distributed_type: FSDP\nnum_processes: 64\nfsdp_config: {fsdp_version: 2}\n")
    found = AccelerateLauncher(processes=8, config_file=file).accelerate()
    assert (found["distributed_type"], found["num_processes"], found["fsdp_config"]) == ("FSDP", 8, {"fsdp_version": 2})
    assert "mixed_precision" not in found, "accelerate refuses one beside a DeepSpeed file, which has its own"
    with pytest.raises(ConfigError, match=r"launch.config_file: .*none.yaml cannot be read"):
        AccelerateLauncher(config_file=tmp_path / "none.yaml").check()


# The processes themselves, without a model --------------------------------------------------------------------------------


def ends(pid: int) -> bool:
    """Whether a process ends within five seconds."""
    for _ in range(250):
        if not _alive(pid):
            return True
        time.sleep(0.02)
    return False


class Script(Workers):
    """Workers whose launcher is a script that does what accelerate would have come to."""

    def __init__(self, folder: FilePath, code: str, heard: Any = lambda *_: None) -> None:
        self.options, self.folder, self.name, self.heard, self.announced = AccelerateLauncher(processes=2), folder, "1-grpo", heard, None
        self.read, self.gone = {}, {}
        command = [sys.executable, "-c", "import json, os, pathlib, subprocess, sys, time\nfolder = pathlib.Path(sys.argv[1])\n" + code]
        self.launcher = subprocess.Popen([*command, str(folder)], stdin=subprocess.PIPE, start_new_session=True)


def test_records_of_workers_are_heard_once_and_whole(tmp_path: FilePath) -> None:
    code = (
        "for rank in range(2):\n"
        "    with (folder / f'events-{rank}.jsonl').open('a') as out:\n"
        "        for number in range(50):\n"
        "            line = json.dumps({'name': 'paths', 'total': 100, 'record': {'id': [rank, number]}}) + '\\n'\n"
        "            out.write(line[:9]); out.flush(); time.sleep(0.002); out.write(line[9:]); out.flush()\n"
        "(folder / 'result.json').write_text('{}')"
    )
    heard: list[Any] = []
    Script(tmp_path, code, lambda name, total, record: heard.append((name, total, tuple(record["id"])))).watch()
    assert sorted(heard) == [("paths", 100, (rank, number)) for rank in range(2) for number in range(50)]


def test_what_a_worker_raised_first_is_raised(tmp_path: FilePath) -> None:
    code = (
        "for rank, kind in ((1, 'ConfigError'), (0, 'PluginError')):\n"
        "    (folder / f'error-{rank}.json').write_text(json.dumps({'rank': rank, 'kind': kind, 'message': f'{rank} says'}))\n"
        "    time.sleep(0.05)\n"
        "sys.exit(1)"
    )
    with pytest.raises(ConfigError, match=r"^1 says$"):
        Script(tmp_path, code).watch()


def test_a_worker_that_is_killed_is_named_with_the_end_of_its_log_and_the_others_do_not_hang(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge_launch.workers.GRACE", 0.5)
    (tmp_path / "rank-1.log").write_text("loading\nstep 3\n")
    code = (
        "for rank in range(2):\n"
        "    one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "    (folder / f'pid-0.{rank}').write_text(str(one.pid))\n"
        "time.sleep(0.4); one.kill(); time.sleep(300)"
    )
    started = time.monotonic()
    with pytest.raises(JobError) as error:
        Script(tmp_path, code).watch()
    assert time.monotonic() - started < 10
    told = str(error.value)
    assert told.startswith("stage 1-grpo: process 1 of 2 ended without a word, as one does that is killed")
    assert f"The end of {tmp_path / 'rank-1.log'}:\n    loading\n    step 3\n" in told
    assert "the same command goes on from the last checkpoint" in told
    assert ends(int((tmp_path / "pid-0.0").read_text()))


def test_accelerate_that_does_not_start_is_told_with_what_it_says(tmp_path: FilePath) -> None:
    (tmp_path / "launcher-0.log").write_text("ValueError: no such port\n")
    with pytest.raises(JobError, match=r"(?s)did not bring its 2 processes to an end \(exit status 3\).*no such port"):
        Script(tmp_path, "sys.exit(3)").watch()


def test_a_stop_is_passed_on_and_waited_for(tmp_path: FilePath) -> None:
    code = (
        "worker = '''import pathlib, signal, sys, time\n"
        "def stop(*_):\n"
        "    time.sleep(0.3); pathlib.Path(sys.argv[1], 'checkpoint').touch(); sys.exit()\n"
        "signal.signal(signal.SIGINT, stop); pathlib.Path(sys.argv[1], 'ready').touch(); time.sleep(300)'''\n"
        "one = subprocess.Popen([sys.executable, '-c', worker, str(folder)])\n"
        "while not (folder / 'ready').exists(): time.sleep(0.01)\n"
        "(folder / 'pid-0.0').write_text(str(one.pid)); one.wait()"
    )

    def stop(name: str, total: int | None, record: Any) -> None:
        raise KeyboardInterrupt

    workers = Script(tmp_path, code, stop)
    while not (tmp_path / "pid-0.0").exists():
        time.sleep(0.01)
    time.sleep(0.05)
    (tmp_path / "events-0.jsonl").write_text(json.dumps({"name": "", "total": None, "record": {}}) + "\n")
    with pytest.raises(KeyboardInterrupt):
        workers.watch()
    assert (tmp_path / "checkpoint").exists()
    assert (tmp_path / "stop").exists()


def test_a_worker_ends_when_its_launcher_is_killed(tmp_path: FilePath) -> None:
    code = (
        "import subprocess, sys\n"
        "one = subprocess.Popen([sys.executable, '-c', '''import threading, time\n"
        "from adjudge_launch.worker import _end_with_launcher\n"
        "threading.Thread(target=_end_with_launcher, daemon=True).start()\n"
        "print(\"ready\", flush=True); time.sleep(300)'''], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(one.pid, flush=True); one.wait()"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    said = sorted([launcher.stdout.readline().strip(), launcher.stdout.readline().strip()])
    pid = int(said[0])
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    assert ends(pid)
