"""Shows how far a judge has come: a bar on a terminal, else a plain line every few seconds; nothing on what is over in two."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from adjudge.components import Engine, Session
from adjudge.errors import blamed_on
from adjudge.records import Completion, Message

FIRST_AFTER, EVERY = 2.0, 5.0
"""Seconds until the first sign of progress, and between two plain lines."""


class Watched:
    """A session that counts what it has done; an exception of its engine becomes an error that names the engine.

    Completions count themselves. Who scores paths says how many there are, adds to `done`, and is shown a speed besides.

    A thread of its own looks at the count: engines answer in bursts of a batch, so a completion is a bad moment to tell the time left.
    """

    def __init__(self, session: Session, engine: Engine, *, to_score: int = 0) -> None:
        self.session, self.engine = session, engine
        self.doing, self.verb = ("scoring", "scored") if to_score else ("judging", "judged")
        self.total = to_score
        self.done = self.failed = self.tokens = 0
        self.last_error = ""
        self._over = Event()
        self._teller = Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._teller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._teller.join()

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
        with blamed_on(self.engine, "logprobs"):
            found = self.session.logprobs(prompt, continuations)
        self.tokens += sum(map(len, continuations))
        return found

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        with blamed_on(self.engine, "tokenize"):
            return self.session.tokenize(text, token_ids)

    def _count(self, completion: Completion) -> None:
        self.done += 1
        if completion.error is not None:
            self.failed += 1
            self.last_error = completion.error

    def _tell(self) -> None:
        """Until it is over: a bar that is kept current, or a line now and then."""
        started = time.monotonic()
        bar = _bar() if sys.stderr.isatty() else None
        with ExitStack() as stack:
            wait = FIRST_AFTER
            while not self._over.wait(wait):
                wait = EVERY if bar is None else 0.1
                if bar is None:
                    print(self._line(time.monotonic() - started), file=sys.stderr, flush=True)
                elif not bar.tasks:
                    stack.enter_context(bar)
                    bar.add_task(self.doing, total=self.total)
                else:
                    speed = self._speed(time.monotonic() - started)
                    bar.update(bar.tasks[0].id, completed=self.done, total=self.total, description=self.doing + speed)

    def _line(self, seconds: float) -> str:
        left = f", about {seconds / self.done * (self.total - self.done):.0f} s left" if self.done else ""
        return f"{self.verb} {self.done} of {self.total}{self._speed(seconds)}{left}"

    def _speed(self, seconds: float) -> str:
        return f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
