"""Shows how far a judge has come while a command waits for it; nothing on what is over in two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from adjudge_engines import sampled_tokens
from adjudge_judges import tokens_at_most
from adjudge_report import Count, ProgressDisplay

from .counted import CountedSession

FIRST_AFTER, EVERY = 2.0, 30.0
"""Seconds until the first sign of progress, and between two plain lines."""


@contextmanager
def showing(session: CountedSession, doing: str, done: str) -> Iterator[None]:
    """Show what the session has done while this lasts, as in *judging* on a bar and *judged 3 of 4* in a plain line.

    A thread of its own looks at the counts: a batch of completions takes its time, and a completion that ends is a bad moment to tell the
    time left.
    """
    began = time.monotonic()
    display, count, before = ProgressDisplay(EVERY), Count(began), sampled_tokens.total

    def look() -> None:
        begun = session.done or session.tokens or session.sampled or sampled_tokens.total > before
        if not (begun or display.live or time.monotonic() - began > EVERY):
            return  # a model is loaded: a line that says 0 would be the only one of a short call
        count.done = count.fresh = session.done
        count.total, count.finished, count.limit = session.total, session.sampled, tokens_at_most(session.judge)
        count.see(time.monotonic(), session.tokens or max(session.sampled, sampled_tokens.total - before))
        display.show(doing, count, done)

    with display.quietly():
        display.watch(look, FIRST_AFTER)
    try:
        yield
    finally:
        display.close()
