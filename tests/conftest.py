"""What many tests share: the embedded judge's folder and the built-in plugins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from adjudge import Plugins, find_model

if "PYTEST_XDIST_WORKER" in os.environ:  # threads that share a core with another worker's spin while they wait, and cost it many times over
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that started the tests in the background ignores Ctrl-C, and children inherit that; programs under test must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # how fast a machine is, is no property
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def embedded() -> FilePath:
    """Folder of the embedded judge."""
    return find_model("adjudge_arithmetic:model")


@pytest.fixture
def plugins() -> Plugins:
    """The built-in plugins alone, in an object of this test's own."""
    return Plugins.load(autoload=False)


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the cache of whoever runs it, or of another test."""
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path_factory.getbasetemp() / "caches" / uuid4().hex))


IMPORTED = """
import atexit, gc, json, os, sys
import torch, trl, adjudge_engines
from adjudge.cli.app import main
from adjudge_grpo import train as grpo
from adjudge_sft import train as sft

gc.freeze()  # what is imported is not looked through, and so not copied, in every fork
for line in sys.stdin:
    asked = json.loads(line)
    if "words" not in asked:
        pid, status = os.waitpid(asked["pid"], asked["flags"])
        print(os.waitstatus_to_exitcode(status) if pid else "", flush=True)
        continue
    if pid := os.fork():
        print(pid, flush=True)
        continue
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, file in enumerate(asked["files"]):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    os.chdir(asked["folder"])
    sys.argv = ["adjudge", *asked["words"]]
    exec(asked["before"])
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # taking down what is imported would take longer than most of these calls
"""
"""Imports what a training imports, once; every line it is told is a call of ``adjudge``, for which it forks, or a process to wait for."""


class Forked:
    """A call of ``adjudge`` in a process of its own, to be used as a `subprocess.Popen`; it begins where imports have ended."""

    def __init__(self, ask: Callable[..., str], folder: FilePath, words: tuple[str, ...], before: str) -> None:
        self._ask, self._told = ask, [folder / name for name in ("out", "err")]
        self.returncode: int | None = None
        files = ["/dev/null", *map(str, self._told)]
        self.pid = int(ask(words=words, environment=dict(os.environ), files=files, folder=os.getcwd(), before=before))

    def poll(self, flags: int = os.WNOHANG) -> int | None:
        if self.returncode is None and (said := self._ask(pid=self.pid, flags=flags)):
            self.returncode = int(said)
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        until = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < until, "it does not end"
            time.sleep(0.01)
        out, err = (file.read_text(encoding="utf-8") for file in self._told)
        return out, err

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> None:
        self.poll(0)


@pytest.fixture(scope="session")
def fork_adjudge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Forked]]:
    """Calls ``adjudge`` with these words in a process that need not import for seconds what trainings import: a fork of one that has.

    `before` is Python that the process runs first. A test of what a fresh process does starts one.
    """
    started: list[subprocess.Popen[str]] = []

    def ask(**line: object) -> str:
        if not started:
            started.append(subprocess.Popen([sys.executable, "-c", IMPORTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        stdin, stdout = started[0].stdin, started[0].stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(line), file=stdin, flush=True)
        return stdout.readline().strip()

    yield lambda *words, before="": Forked(ask, tmp_path_factory.mktemp("forked"), words, before)
    for process in started:
        process.communicate()
