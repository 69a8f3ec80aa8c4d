"""Where several processes put SIGTERM off, nobody leaves before all are ready; an error is not held back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from adjudge.stopping import Terminated, follow_sigterm, sigterm_put_off


@pytest.fixture
def done() -> Iterator[list[str]]:
    """What was done in order, among it the wait for the others; SIGTERM comes a second time where it is full."""
    before, found = signal.getsignal(signal.SIGTERM), []

    def together() -> None:
        found.append("waited")
        if len(found) > 2:
            os.kill(os.getpid(), signal.SIGTERM)
        found.append("all there")

    follow_sigterm(together)
    yield found
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("asked", [True, False])
def test_the_block_ends_once_all_are_there_and_only_then_sigterm_is_followed(done: list[str], asked: bool) -> None:
    try:
        with sigterm_put_off():
            if asked:
                os.kill(os.getpid(), signal.SIGTERM)
            done.append("step")
    except Terminated:
        done.append("stopped")
    assert done == ["step", "waited", "all there", *(["stopped"] if asked else [])]


def test_a_second_sigterm_ends_the_wait_too(done: list[str]) -> None:
    def block() -> None:
        with sigterm_put_off():
            os.kill(os.getpid(), signal.SIGTERM)
            done.extend(["step", "step"])

    with pytest.raises(Terminated):
        block()
    assert done == ["step", "step", "waited"]


def test_an_error_waits_for_nobody(done: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), sigterm_put_off():
        _ = 1 / 0
    assert done == []
