"""Where several processes put SIGTERM off, nobody leaves before all are ready; an error is not held back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from adjudge import Terminated, follow_sigterm, sigterm_put_off


@pytest.fixture
def done() -> Iterator[list[str]]:
    """What was done in order, among it the wait for the others; SIGTERM comes once more while that goes on."""
    before, found = signal.getsignal(signal.SIGTERM), []

    def together() -> None:
        found.append("waited")
        if "asked" in found:
            os.kill(os.getpid(), signal.SIGTERM)
        found.append("all there")

    follow_sigterm(together)
    yield found
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("asked", [True, False])
def test_the_block_ends_once_all_are_there_and_only_then_sigterm_is_followed(done: list[str], asked: bool) -> None:
    """However often it comes: a scheduler tells every process, and who launched them passes it on."""
    try:
        with sigterm_put_off():
            for _ in range(3 * asked):
                os.kill(os.getpid(), signal.SIGTERM)
            done.append("asked" if asked else "step")
    except Terminated:
        done.append("stopped")
    assert done == (["asked", "waited", "all there", "stopped"] if asked else ["step", "waited", "all there"])


def test_an_error_waits_for_nobody(done: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), sigterm_put_off():
        _ = 1 / 0
    assert done == []
