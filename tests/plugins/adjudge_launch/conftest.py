"""A port where the processes of a launch may find each other."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import pytest


@pytest.fixture
def free_port() -> int:
    """A port of this machine, none of those that the kernel gives to whoever asks for any, as other tests may do at the same time."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
