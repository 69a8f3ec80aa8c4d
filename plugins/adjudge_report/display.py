"""The display of progress for runs and commands alike: live bars on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread, current_thread
from typing import TYPE_CHECKING

from .count import Count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

REDRAW = 0.25
"""Seconds between two looks at what is shown on a terminal."""


class ProgressDisplay:
    """Bars, or lines at least `every` seconds apart where standard error is no terminal; a line that would say nothing new is left out.

    Watching never disturbs the work: what goes wrong within `quietly` switches the display off.
    """

    def __init__(self, every: float, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console

            console = Console(stderr=True)
        self.console, self.every = console, every
        self.broken = False
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said = self._drawn = float("-inf")
        self._line = ""
        self._lock = RLock()
        self._over = Event()
        self._watcher: Thread | None = None

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """At the first trouble inside say so, give the terminal back and stay silent."""
        try:
            yield
        except Exception as error:
            if not self.broken:
                self.broken = True
                self.close()
                with suppress(Exception):
                    print(f"warning: no more progress is shown: {type(error).__name__}: {error}", file=sys.stderr)

    @property
    def live(self) -> bool:
        """Whether bars are on a terminal."""
        return self._bars is not None

    def start(self) -> None:
        """Begin a live display where there is a terminal."""
        if self.console.is_interactive and self._bars is None and not self.broken:
            self._bars = _bars(self.console)
            self._bars.start()

    def watch(self, look: Callable[[], None], after: float = 0.0) -> None:
        """Start in so many seconds, and then call `look` again and again until closed, in a thread of its own.

        For what is under way shows nothing by itself: a batch of completions may take minutes, and ends at once.
        """
        # By this name code that has to be alone in its process knows that this thread only looks.
        self._watcher = Thread(target=self._watch, args=(look, after), daemon=True, name="progress")
        self._watcher.start()

    def _watch(self, look: Callable[[], None], after: float) -> None:
        if self._over.wait(after):
            return
        with self.quietly():
            self.start()
            look()
            while not self._over.wait(REDRAW if self.live else self.every or 1.0):
                look()
                with self._lock:
                    if self._bars is not None:
                        self._bars.refresh()

    def wait_for(self, doing: str) -> None:
        """A bar for work whose items have not begun to come."""
        with self._lock:
            if self._bars is not None:
                self._tasks[""] = self._bars.add_task(doing, total=None, what="")

    def show(self, doing: str, count: Count, line: str) -> None:
        """Move the bar of this work; without a terminal print `line` and the count, if it is time for a line."""
        now = time.monotonic()
        with self._lock:
            if self.broken:
                return
            if self._bars is not None:
                if doing not in self._tasks:
                    if "" in self._tasks:
                        self._bars.remove_task(self._tasks.pop(""))
                    self._tasks[doing] = self._bars.add_task(doing, what="")
                due = now - self._drawn >= REDRAW
                self._drawn = now if due else self._drawn
                self._bars.update(self._tasks[doing], completed=count.done, total=count.total, what=count.words(now), refresh=due)
            elif now - self._said >= self.every and (told := f"{line} {count.words(now)}") != self._line:
                self._line = told
                self.say(told)

    def say(self, line: str) -> None:
        """One line, above the live display where there is one."""
        with self._lock:
            if not self.broken:
                self._said = time.monotonic()
                self.console.out(line, highlight=False)

    def clear(self) -> None:
        """Take the bars away; others may follow."""
        with self._lock:
            while self._bars is not None and self._tasks:
                self._bars.remove_task(self._tasks.popitem()[1])

    def close(self) -> None:
        """Give the terminal back."""
        self._over.set()
        if self._watcher is not None and self._watcher is not current_thread():
            self._watcher.join()
        with suppress(Exception):
            if self._bars is not None:
                self.clear()
                self._bars.stop()
        self._bars = None


def _bars(console: Console) -> Bars:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    text = TextColumn("{task.description}", markup=False, style="bold")
    columns = (SpinnerColumn(), text, BarColumn(24), TextColumn("{task.fields[what]}", markup=False), TimeElapsedColumn())
    # Results that go to a file or a program must not be led above the bars, to standard error.
    return Bars(*columns, console=console, redirect_stdout=sys.stdout.isatty(), auto_refresh=False)
