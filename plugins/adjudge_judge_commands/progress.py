"""Shows how far a judge has come while a command waits for it; nothing on what is over in two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from adjudge_report import Count, ProgressDisplay

from .opened_judge import CountedSession

FIRST_AFTER, EVERY, REDRAW = 2.0, 5.0, 0.1
"""Seconds until the first sign of progress, between two plain lines, and between two looks at the count for a bar."""


@contextmanager
def showing(session: CountedSession, doing: str, done: str) -> Iterator[None]:
    """Show what the session has done while this lasts, as in *judging* on a bar and *judged 3 of 4* in a plain line.

    A thread of its own looks at the count: engines answer in bursts of a batch, so a completion is a bad moment to tell the time left.
    """
    over, began = Event(), time.monotonic()

    def show() -> None:
        if over.wait(FIRST_AFTER):
            return
        display = ProgressDisplay(every=0)
        with display.quietly():
            display.start()
            wait = REDRAW if display.live else EVERY
            while True:
                made = session.done
                display.show(doing, Count(began, made, made, session.total, session.tokens), done)
                if over.wait(wait):
                    break
        display.close()

    teller = Thread(target=show, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
