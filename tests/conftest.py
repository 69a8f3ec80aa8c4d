"""What many tests share: the embedded judge's folder and the built-in plugins."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from adjudge import Plugins, find_model

if "PYTEST_XDIST_WORKER" in os.environ:  # threads that share a core with another worker's spin while they wait, and cost it many times over
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that started the tests in the background ignores Ctrl-C, and children inherit that; programs under test must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.set_threshold(100_000)  # as the command line does: most of what is made is imported, and was looked through time and again

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # how fast a machine is, is no property
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def embedded() -> FilePath:
    """Folder of the embedded judge."""
    return find_model("adjudge_arithmetic:model")


def pytest_sessionfinish() -> None:
    """What was frozen is taken down with the interpreter, as libraries in C count on."""
    gc.unfreeze()


@pytest.fixture
def plugins() -> Plugins:
    """The built-in plugins alone, in an object of this test's own."""
    return Plugins.load(autoload=False)


@pytest.fixture(scope="module", autouse=True)
def _circles_are_collected() -> None:
    """What the tests of earlier files made, such as trainers and their models, is let go of; what stays is not looked through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _imports_are_looked_through_once() -> Iterator[None]:
    """Every training collects circles, and would look through what torch and TRL are made of for about as long as a tiny model trains."""
    before = len(sys.modules)
    yield
    if len(sys.modules) > before + 500:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the cache of whoever runs it, or of another test."""
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path_factory.getbasetemp() / "caches" / uuid4().hex))


@pytest.fixture(scope="session")
def forks_of() -> Iterator[Callable[..., type[subprocess.Popen[Any]]]]:
    """Makes a `subprocess.Popen` whose processes are forks of one that has imported these modules."""
    from .fork_server import forks

    with ExitStack() as stack:
        yield lambda *modules: stack.enter_context(forks(*modules))


@pytest.fixture(scope="session")
def forked(forks_of: Callable[..., type[subprocess.Popen[Any]]]) -> type[subprocess.Popen[Any]]:
    """Starts, as `subprocess.Popen` does, a process that need not import for seconds what trainings import.

    `before` is Python that the process runs first. A test of what a fresh process does starts one.
    """
    from .fork_server import TRAINING

    return forks_of(*TRAINING)


@pytest.fixture(scope="session")
def fork_adjudge(forked: type[subprocess.Popen[Any]]) -> Callable[..., subprocess.Popen[str]]:
    """Calls ``adjudge`` with these words in such a process."""

    def call(*words: str, before: str = "") -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return forked([sys.executable, "-m", "adjudge", *words], stdout=pipe, stderr=pipe, text=True, before=before)  # type: ignore[call-overload]

    return call
