"""SIGTERM, the polite request to end: followed at once, or put off for as long as it takes to write a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """Somebody sent SIGTERM; ends the process like Ctrl-C does, with an exit code of its own."""

    exit_code = 128 + signal.SIGTERM


class _Followed:
    """The handler of SIGTERM while nothing puts it off."""

    def __init__(self, together: Callable[[], None] | None) -> None:
        self.together = together

    def __call__(self, number: int, frame: Any) -> NoReturn:
        raise Terminated


def follow_sigterm(together: Callable[[], None] | None = None) -> None:
    """From now on SIGTERM raises `Terminated` in the main thread, so that everything is closed on the way out.

    A process among several says how they wait for each other: `together` is called at the end of every block that puts SIGTERM off. So
    nobody leaves such a block, and ends, while another one still writes its part of a checkpoint there. Such a process takes any number of
    SIGTERMs for one: a scheduler sends one to each, and who launched it passes on its own. It is killed where that is meant.
    """
    signal.signal(signal.SIGTERM, _Followed(together))


@contextmanager
def sigterm_put_off() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether SIGTERM has come; then `Terminated` is raised at the end of the block, or by a second SIGTERM.

    Of the processes of a launch each has to come to the block, at whose end they wait for each other, and a second SIGTERM says nothing
    new. Outside the main thread, which alone hears signals, nothing is put off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heard, before = threading.Event(), signal.getsignal(signal.SIGTERM)
    together = before.together if isinstance(before, _Followed) else None

    def hear(number: int, frame: Any) -> None:
        if heard.is_set() and together is None:
            raise Terminated
        heard.set()

    signal.signal(signal.SIGTERM, hear)
    try:
        yield heard.is_set
        if together is not None:
            together()
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    if heard.is_set():
        raise Terminated
