"""Shows how far a judge has come: a bar on a terminal, else a plain line every few seconds; nothing on what is over in two."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from adjudge.components import Engine, Session
from adjudge.errors import blamed_on
from adjudge.records import Completion, Message

FIRST_AFTER, EVERY = 2.0, 5.0
"""Seconds until the first sign of progress, and between two plain lines."""


class Watched:
    """A session that counts its completions; an exception of its engine becomes an error that names the engine."""

    def __init__(self, session: Session, engine: Engine) -> None:
        self.session, self.engine = session, engine
        self.done = self.failed = self.total = 0
        self.last_error = ""
        self._bar: Any = None
        self._started = time.monotonic()
        self._next_line = self._started + FIRST_AFTER

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int
    ) -> Iterator[tuple[int, Completion]]:
        self.total += len(prompts)
        with blamed_on(self.engine, "sample"):
            for index, completion in self.session.sample(
                prompts, seeds=seeds, temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens
            ):
                self._count(completion)
                yield index, completion

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return self.session.logprobs(prompt, continuations)

    def _count(self, completion: Completion) -> None:
        self.done += 1
        if completion.error is not None:
            self.failed += 1
            self.last_error = completion.error
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(0, completed=self.done, total=self.total)
        elif now >= self._next_line:
            self._next_line = now + EVERY
            self._show(now - self._started)

    def _show(self, seconds: float) -> None:
        if sys.stderr.isatty():
            self._bar = _start_bar(self.done, self.total)
        else:
            left = seconds / self.done * (self.total - self.done)
            print(f"judged {self.done}/{self.total}, about {left:.0f} s left", file=sys.stderr, flush=True)


def _start_bar(done: int, total: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.start()
    bar.add_task("judging", total=total, completed=done)
    return bar
