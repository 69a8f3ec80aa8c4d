"""Launches whose processes are forks, and a port where the processes of a launch may find each other."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from adjudge_launch import workers


@pytest.fixture(scope="module")
def forked_launches(forked: type[subprocess.Popen[Any]]) -> Iterator[None]:
    """What this process launches need not import what it does: accelerate's launcher is a fork, and so are those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "subprocess", SimpleNamespace(Popen=forked, PIPE=subprocess.PIPE))
        yield


@pytest.fixture
def free_port() -> int:
    """A port of this machine, none of those that the kernel gives to whoever asks for any, as other tests may do at the same time."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
