"""A pytest plugin for ``suite_time.py``: processor time of every test and of every file's import, of child processes too.

A child counts where it is waited for; a server that a fixture started counts with the last test that used it.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Generator
from pathlib import Path

import pytest

FOUND: dict[str, float] = {}
"""Seconds by the id of a test, or by the name of a file that was imported."""


def spent() -> float:
    """Processor seconds of this process and of its children so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


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
