"""Puts SIGTERM, the polite request to end, off for as long as it takes to write a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from adjudge import Terminated


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
    together: Callable[[], None] | None = getattr(before, "together", None)

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
