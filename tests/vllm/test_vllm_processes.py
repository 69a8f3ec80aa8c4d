"""vLLM's processes: started whatever was set here, and gone however the one that started them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any
from uuid import uuid4

import psutil
import pytest

from adjudge import Completion, JobError, Session
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import VllmEngine
from adjudge_judges import ArithmeticJudge

ENGINE = VllmEngine(dtype="float32", eager=True, extra={"kv_cache_memory_bytes": 2**28})
PROMPTS = [ArithmeticJudge().prompt(problem, "given") for problem in ArithmeticDataset(size=200, part="test").load()]
LAUNCHED = {
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
"""As torchrun has it for the second of two processes."""
PATIENCE = 60
"""Seconds that a process may take to do what it is about to do."""


def answers(session: Session) -> Iterator[tuple[int, Completion]]:
    return session.sample(PROMPTS, seeds=range(len(PROMPTS)), temperature=0.0, top_p=1.0, max_new_tokens=112)


def running(mark: str) -> list[psutil.Process]:
    """Processes that were started with this mark in their environment, by whomever, and go on; Python's own helper aside."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            marked = process.environ().get("ADJUDGE_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE
            if marked and "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
    return found


def wait_until(happened: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What tells the processes of this test by; whichever are left at its end are ended."""
    name = uuid4().hex
    monkeypatch.setenv("ADJUDGE_TEST_MARK", name)
    monkeypatch.setenv("SPT_NOENV", "1")  # vLLM's processes change their titles, and would write them over their environment
    yield name
    for process in running(name):
        process.kill()


def test_engines_open_beside_one_another_whatever_a_launch_and_another_vllm_have_left_here(
    embedded: FilePath, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    """TRL's vLLM runs in the process that trains: it switches processes off, and vLLM remembers that."""
    from vllm import envs

    left = {**LAUNCHED, "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    envs.enable_envs_cache()
    with ENGINE.open(embedded) as first:
        held = running(mark)
        its_own = [process for process in held if "getppid" not in " ".join(process.cmdline())]  # but who watches for this one's end
        assert its_own
        assert not [name for process in its_own for name in LAUNCHED if name in process.environ()]
        assert {name: os.environ.get(name) for name in left} == left, "what goes on here is still part of its launch"
        expected = dict(answers(first))
        with ENGINE.open(embedded) as second:
            assert len(running(mark)) > len(held)
            assert dict(answers(second)) == expected
        assert set(running(mark)) == set(held), "the other one's end was its own"
        assert dict(answers(first)) == expected
        first.close()  # type: ignore[attr-defined]
        assert running(mark) == []
    assert running(mark) == [], "and closing twice does no harm"


def test_what_was_started_is_ended_where_opening_fails_later(embedded: FilePath, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    seen: list[int] = []

    def none_left(*words: Any, **options: Any) -> None:
        seen.append(len(running(mark)))
        raise OSError("no process can be started any more")

    from adjudge_engines import processes

    monkeypatch.setattr(processes, "Popen", none_left)
    with pytest.raises(OSError, match="no process can be started"), ENGINE.open(embedded):
        pass
    assert seen[0] > 0, "the model was loaded by then"
    assert running(mark) == []


def test_a_process_that_is_told_to_end_leaves_no_half_judgements(embedded: FilePath, mark: str) -> None:
    """As a scheduler tells all processes of a job: vLLM then calls off what it has not finished, and says so as if it had."""
    with ENGINE.open(embedded) as session:
        expected = dict(answers(session))
        [main] = [process for process in running(mark) if process.children()]
        found, other = answers(session), answers(session)
        kept = [next(found), next(other)]
        main.terminate()
        with pytest.raises(JobError, match=r"was called off|its process ended"):
            kept.extend(found)
        with pytest.raises(JobError, match=r"was called off|its process ended"):
            kept.extend(other)
        assert all(one == expected[index] for index, one in kept)
        with pytest.raises(JobError, match="its process ended"):
            list(answers(session))
    assert running(mark) == []


SCRIPT = """
import sys
from pathlib import Path
from adjudge_engines import VllmEngine
copies = int(sys.argv[2])
engine = VllmEngine(dtype="float32", eager=True, data_parallel=copies, extra={"kv_cache_memory_bytes": 2**28})
prompt = [{"role": "user", "content": "1+1"}]
with engine.open(Path(sys.argv[1])) as session:
    print("open", flush=True)
    while True:
        list(session.sample([prompt] * 64, seeds=range(64), temperature=1.0, top_p=1.0, max_new_tokens=200))
"""


@pytest.mark.parametrize(
    ("copies", "when", "how"),
    [
        (1, "loading", "all are interrupted"),
        (1, "loading", "it is interrupted"),
        (1, "sampling", "all are interrupted"),
        (1, "sampling", "it is interrupted"),
        (1, "sampling", "it is killed"),
        (2, "loading", "it is interrupted"),
        (2, "sampling", "all are interrupted"),
        (2, "sampling", "it is interrupted"),
        (2, "sampling", "it is killed"),
    ],
)
def test_nothing_is_left_when_whoever_opened_it_is_stopped(embedded: FilePath, mark: str, copies: int, when: str, how: str) -> None:
    command = [sys.executable, "-c", SCRIPT, str(embedded), str(copies)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            if when == "loading":
                wait_until(lambda: len(running(mark)) >= 2 + copies, "vLLM has started a process for each copy, and more")
            else:
                assert process.stdout.readline() == "open\n"
                time.sleep(0.5)
            if how == "all are interrupted":  # as Ctrl-C in a terminal does
                os.killpg(process.pid, signal.SIGINT)
            else:
                process.send_signal(signal.SIGKILL if how == "it is killed" else signal.SIGINT)
            assert process.wait(PATIENCE) == (-signal.SIGKILL if how == "it is killed" else -signal.SIGINT)
        finally:
            process.kill()
        wait_until(lambda: not running(mark), "nothing is left")
