"""A pytest plugin for ``suite_time.py``: processor time of every test and of every file's import, of child processes too.

A child counts while it works, so that a server of several tests counts with each of them; the children of a child count once it has
waited for them.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

FOUND: dict[str, float] = {}
"""Seconds by the id of a test, or by the name of a file that was imported."""


TICKS = os.sysconf("SC_CLK_TCK")


def spent() -> float:
    """Processor seconds of this process and of its children so far, of those that have ended and of those that work."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime + sum(working())


def working() -> Iterator[float]:
    """Processor seconds of every child that has not ended, and of those that it has waited for."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended since
            for child in (thread / "children").read_text().split():
                user, system, theirs, below = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:15]
                yield (int(user) + int(system) + int(theirs) + int(below)) / TICKS


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, object, object]:
    """The import of a test file, and of what it imports."""
    before = spent()
    report = yield
    if isinstance(collector, pytest.Module):
        FOUND[collector.nodeid] = spent() - before
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test with the fixtures that were made and ended for it."""
    before = spent()
    done = yield
    FOUND[item.nodeid] = spent() - before
    return done


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes down what was found, and what all of this process took."""
    Path(os.environ["SUITE_CLOCK"]).write_text(json.dumps({"tests": FOUND, "whole": spent()}), encoding="utf-8")
