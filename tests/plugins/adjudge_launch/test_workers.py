"""What launched processes say and how they end: for real through accelerate, with a trainer that does what each test is about.

They are forks, but for those of the test of what fresh ones find.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import JobError, PluginError, Terminated
from adjudge_launch import AccelerateLauncher, FolderProcessGroup
from adjudge_launch.worker import Events
from adjudge_launch.workers import Workers, _alive, in_processes

PLUGIN = '''
import logging, signal, time
from typing import Literal
from adjudge import JobError, StageResult, StageTrainer, hookimpl, sigterm_put_off


class Acts(StageTrainer):
    """Does one of the things below."""

    use: Literal["acts"] = "acts"
    act: str

    def train(self, stage):
        globals()[self.act](stage)
        return StageResult(stage.finish_model(stage.folder / "model"), {})


def tell(stage):
    """Lets the test know, once every process is there, that it may stop them."""
    stage.process_group.barrier()
    stage.records("ready").append({"id": 1})


def logs(stage):
    logging.getLogger("adjudge.acts").warning("half of %d", stage.process_group.rank)


def learns(stage):
    """Process 0 imports what trainings do; process 1 would find the same."""
    if stage.process_group.is_main_process:
        import adjudge_grpo.train, adjudge_sft.train
    logs(stage)


def collective(stage):
    """Process 1 waits in a collective for process 0, which is elsewhere."""
    import torch.distributed

    torch.distributed.init_process_group("gloo")
    tell(stage)
    if stage.process_group.is_main_process:
        time.sleep(600)
    torch.distributed.gather_object(1, None, 0)


def put_off(stage):
    """Likewise, and process 1 puts SIGTERM off there."""
    if stage.process_group.is_main_process:
        return collective(stage)
    with sigterm_put_off():
        collective(stage)


def deaf(stage):
    """Process 1 waits where it hears no signal, as in a collective on a GPU."""
    if not stage.process_group.is_main_process:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    tell(stage)
    time.sleep(600)


def saves(stage):
    """All stop at the same step, and process 0 has a checkpoint to write, which takes its time."""
    with sigterm_put_off() as asked:
        tell(stage)
        while not asked():
            time.sleep(0.02)
        if stage.process_group.is_main_process:
            time.sleep(3)
            (stage.folder / "checkpoint").touch()


def finds_no_room(stage):
    """For a checkpoint, once it was asked to stop."""
    (stage.process_group.folder / "stop").write_text(str(int(signal.SIGTERM)))
    raise JobError("the disk is full")


@hookimpl
def register_stage_trainers():
    return [Acts]
'''


@pytest.fixture
def acts(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> FilePath:
    """A folder for runs, in an environment where that plugin is installed."""
    info = tmp_path / "site" / "adjudge_acts-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-acts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[adjudge]\nacts = adjudge_acts\n")
    (info.parent / "adjudge_acts.py").write_text(PLUGIN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(info.parent), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return tmp_path


@pytest.fixture
def at_most_two_minutes() -> Iterator[None]:
    """Processes that wait for each other for ever must not keep the suite."""

    def give_up(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def config(folder: FilePath, act: str) -> dict[str, Any]:
    return {
        "out": str(folder / "run"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4}, "reporters": [],
        "stages": [{"use": "acts", "act": act}], "launch": {"processes": 2},
    }  # fmt: skip


def launch(folder: FilePath, act: str, heard: Callable[..., None] = lambda *_: None, without: str = "") -> Any:
    task = {"config": config(folder, act), "stage": 1, "model": str(folder), "trained": None, "problems": {"train": []}}
    task.pop(without, None)
    return in_processes(AccelerateLauncher(processes=2), launch_folder(folder), "1-acts", task, heard)


def launch_folder(folder: FilePath) -> FilePath:
    return folder / "run" / "stages" / "1-acts" / "launch"


def stopping(stop: BaseException) -> Callable[..., None]:
    """Stops the launch at the first record."""

    def heard(*_: Any) -> None:
        raise stop

    return heard


def ended(folder: FilePath) -> bool:
    """Whether both processes had come, and end within a few seconds, which their Python may take."""
    pids = [int(file.read_text()) for file in launch_folder(folder).glob("pid-0.*")]
    for _ in range(500):
        if not any(map(_alive, pids)):
            return len(pids) == 2
        time.sleep(0.02)
    return False


@pytest.mark.slow
@pytest.mark.usefixtures("at_most_two_minutes", "forked_launches")
@pytest.mark.parametrize(
    ("act", "stop"), [("collective", KeyboardInterrupt), ("collective", Terminated), ("put_off", Terminated), ("deaf", Terminated)]
)
def test_a_stop_ends_also_who_waits_for_one_that_has_left(
    acts: FilePath, monkeypatch: pytest.MonkeyPatch, act: str, stop: type[BaseException]
) -> None:
    monkeypatch.setattr("adjudge_launch.workers.GRACE", 4.0)
    with pytest.raises(stop):
        launch(acts, act, stopping(stop()))
    assert ended(acts)
    assert (launch_folder(acts) / "end.0").exists()
    assert not list(launch_folder(acts).glob("error-*"))


@pytest.mark.slow
@pytest.mark.usefixtures("at_most_two_minutes", "forked_launches")
def test_a_checkpoint_has_the_time_that_it_takes_also_where_others_are_done(acts: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_launch.workers.GRACE", 0.5)
    with pytest.raises(Terminated):
        launch(acts, "saves", stopping(Terminated()))
    assert (acts / "run" / "stages" / "1-acts" / "checkpoint").exists()
    assert ended(acts)


def assert_logged(folder: FilePath, process: subprocess.Popen[str]) -> None:
    """Both processes have said something, which is in the run's log and on the terminal."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    told = sorted(re.findall(r"WARNING (process . of stage .*)", (folder / "run" / "log.txt").read_text()))
    assert told == ["process 0 of stage 1-acts: half of 0", "process 1 of stage 1-acts: half of 1"]
    assert all(line in errors for line in told)
    assert not launch_folder(folder).exists()


@pytest.mark.slow
def test_what_workers_log_is_in_the_runs_log_with_who_said_it(acts: FilePath, fork_adjudge: Callable[..., subprocess.Popen[str]]) -> None:
    (acts / "run.yaml").write_text(json.dumps(config(acts, "logs")))
    assert_logged(acts, fork_adjudge("run", str(acts / "run.yaml"), "--json"))


@pytest.mark.slow
def test_fresh_processes_find_what_trains_beside_a_folder_that_trl_would_take_for_vllm(acts: FilePath) -> None:
    """A launch as it is without the forks of the other tests, in a folder whose modules none of them may see."""
    (acts / "vllm").mkdir()
    (acts / "run.yaml").write_text(json.dumps(config(acts, "learns")))
    command, pipe = [sys.executable, "-P", "-m", "adjudge", "run", "run.yaml"], subprocess.PIPE  # -P: without this folder, like the command
    assert_logged(acts, subprocess.Popen(command, cwd=acts, stdout=pipe, stderr=pipe, text=True))


@pytest.mark.slow
@pytest.mark.usefixtures("at_most_two_minutes", "forked_launches")
def test_the_launch_that_a_run_was_started_in_is_none_of_its_processes(acts: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = {
        "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "GROUP_RANK": "1", "ROLE_RANK": "1",
        "MASTER_ADDR": "nowhere.invalid", "MASTER_PORT": "1", "PET_NNODES": "2", "PET_RDZV_BACKEND": "c10d",
        "TORCHELASTIC_USE_AGENT_STORE": "True", "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2",
    }  # fmt: skip
    for name, value in outer.items():
        monkeypatch.setenv(name, value)
    assert launch(acts, "logs")["metrics"] == {}


@pytest.mark.slow
@pytest.mark.usefixtures("at_most_two_minutes", "forked_launches")
def test_an_error_that_nobody_expected_is_told_with_its_type_and_the_end_of_the_log(acts: FilePath) -> None:
    with pytest.raises(JobError) as error:
        launch(acts, "logs", without="trained")
    told = str(error.value)
    assert re.match(r"stage 1-acts: process \d of 2 raised KeyError: 'trained'\n  The end of .*rank-\d.log:\n", told)
    assert "    KeyError: 'trained'\n  Remedy: " in told


def work_alone(folder: FilePath, act: str) -> FilePath:
    """The folder of a worker without others."""
    task = {"config": {**config(folder, act), "launch": None}, "stage": 1, "model": str(folder), "trained": None, "problems": {"train": []}}
    (folder / "work").mkdir(exist_ok=True)
    (folder / "work" / "task.json").write_text(json.dumps(task))
    worker = subprocess.Popen([sys.executable, "-m", "adjudge_launch.worker", str(folder / "work")], stdin=subprocess.PIPE)
    assert worker.wait(timeout=60) == 0
    assert (folder / "work" / "end.0").exists()
    return folder / "work"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_worker_that_comes_after_the_stop_does_nothing(acts: FilePath, stopped: bool) -> None:
    if stopped:
        (acts / "work").mkdir()
        (acts / "work" / "stop").write_text(str(int(signal.SIGTERM)))
    assert (work_alone(acts, "logs") / "result.json").exists() is not stopped


def test_what_goes_wrong_after_a_stop_is_told(acts: FilePath) -> None:
    [event] = map(json.loads, (work_alone(acts, "finds_no_room") / "events-0.jsonl").read_text().splitlines())
    assert event["message"] == "after it was asked to stop: the disk is full"


class Script(Workers):
    """Workers whose launcher is a script; `code` is what the process of rank 0 does, where there is one."""

    def __init__(self, folder: FilePath, code: str | None, heard: Any = lambda *_: None) -> None:
        self.options, self.folder, self.name, self.heard, self.announced = AccelerateLauncher(), folder, "1-grpo", heard, None
        self.read, self.gone = {}, {}
        worker = f"import pathlib, signal, sys, time\nfolder = pathlib.Path(sys.argv[1])\n{code}"
        script = (
            "import pathlib, subprocess, sys, time\n"
            "if sys.argv[2]:\n"
            "    one = subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]])\n"
            "    while not pathlib.Path(sys.argv[1], 'ready').exists(): time.sleep(0.01)\n"
            "    pathlib.Path(sys.argv[1], 'pid-0.0').write_text(str(one.pid))\n"
            "    sys.exit(one.wait())\n"
            "time.sleep(300)"
        )
        command = [sys.executable, "-c", script, str(folder), worker if code else ""]
        self.launcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        while code and not self._pids():
            time.sleep(0.01)


@pytest.mark.usefixtures("at_most_two_minutes")
def test_a_stop_before_any_process_has_come_is_not_waited_for(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_launch.workers.GRACE", 0.2)
    (tmp_path / "events-0.jsonl").write_text(json.dumps({"name": "", "total": None, "record": {}}) + "\n")
    workers = Script(tmp_path, None, stopping(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        workers.watch()
    assert not _alive(workers.launcher.pid)


COUNTS = """
def asked(number, frame):
    with (folder / 'asked').open('a') as out:
        out.write(f'{number} ')
    (folder / 'asked-once').touch()
signal.signal(signal.SIGTERM, asked)
(folder / 'ready').touch()
while not (folder / 'asked-once').exists():
    time.sleep(0.01)
time.sleep(0.4)
(folder / 'end.0').touch()
"""


@pytest.mark.usefixtures("at_most_two_minutes")
def test_a_stop_of_another_machine_is_passed_on_once_and_ends_the_run(tmp_path: FilePath) -> None:
    (tmp_path / "stop").write_text(str(int(signal.SIGTERM)))
    with pytest.raises(JobError, match=r"stage 1-grpo: another machine was asked to stop, .*\n  Remedy: give every machine the same"):
        Script(tmp_path, COUNTS).watch()
    assert (tmp_path / "asked").read_text() == "15 "


@pytest.mark.usefixtures("at_most_two_minutes")
def test_on_another_machine_a_stop_is_no_failure(tmp_path: FilePath) -> None:
    (tmp_path / "stop").write_text(str(int(signal.SIGTERM)))
    Script(tmp_path, f"{COUNTS}\nsys.exit(3)", None).watch()
    assert (tmp_path / "asked").read_text() == "15 "


def test_a_plugins_error_keeps_its_class_and_shows_the_log(tmp_path: FilePath) -> None:
    (tmp_path / "rank-0.log").write_text("Traceback\n")
    error = json.dumps({"rank": 0, "kind": "PluginError", "message": "it raised"})
    code = f"(folder / 'ready').touch()\n(folder / 'error-0.json').write_text({error!r})\nsys.exit(1)"
    with pytest.raises(PluginError, match=r"(?s)^it raised\n  The end of .*rank-0.log:\n    Traceback"):
        Script(tmp_path, code).watch()


def test_what_only_looks_like_a_launch_stays_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"RANKING": "1", "MY_RANK": "1", "PETS_HOME": "x", "OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "1"}
    for name, value in {**kept, "RANK": "1", "PET_NNODES": "2"}.items():
        monkeypatch.setenv(name, value)
    workers = Script.__new__(Script)
    workers.options = AccelerateLauncher()
    found = workers._environment()
    assert {name: found.get(name) for name in kept} == kept
    assert not {"RANK", "PET_NNODES"} & set(found)
    assert set(os.environ) >= {"RANK", "PET_NNODES"}


def test_a_line_that_cannot_be_made_ends_nothing(tmp_path: FilePath) -> None:
    events = Events(FolderProcessGroup(1, 2, tmp_path))
    for words, given in (("%d batches", ("many",)), ("%d batches", (2,))):
        events.handle(logging.LogRecord("adjudge", logging.WARNING, __file__, 1, words, given, None))
    assert [json.loads(line)["message"] for line in (tmp_path / "events-1.jsonl").read_text().splitlines()] == ["2 batches"]
