"""SIGTERM ends the process by way of an exception, is put off while a block lasts, and a second one is not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from adjudge import Terminated, boundary, follow_sigterm, sigterm_put_off


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    follow_sigterm()
    yield
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_it_is_followed_at_once() -> None:
    with pytest.raises(Terminated) as caught:
        terminate()
    assert caught.value.exit_code == 143


def in_a_block(*steps: Callable[[], object]) -> Iterator[bool]:
    """Does these steps while SIGTERM is put off, and says after each whether one has come."""
    with sigterm_put_off() as asked:
        for step in steps:
            step()
            yield asked()


def test_it_is_put_off_to_the_end_of_the_block() -> None:
    heard = in_a_block(lambda: None, terminate, lambda: None)
    assert [next(heard), next(heard), next(heard)] == [False, True, True]
    with pytest.raises(Terminated):
        next(heard)
    with pytest.raises(Terminated):
        terminate()


def test_a_second_one_is_followed_at_once() -> None:
    done: list[str] = []
    with pytest.raises(Terminated):
        list(in_a_block(terminate, terminate, lambda: done.append("not reached")))
    assert done == []


def test_an_error_in_the_block_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_a_block(terminate, lambda: 1 / 0))


def test_outside_the_main_thread_nothing_is_put_off() -> None:
    found = []

    def work() -> None:
        with sigterm_put_off() as asked:
            found.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_component_is_not_blamed_for_it() -> None:
    def imports_lazily() -> None:
        try:
            terminate()
        except KeyboardInterrupt as error:
            raise RuntimeError("a lazy import failed") from error

    with pytest.raises(Terminated), boundary(object(), "train"):
        imports_lazily()
