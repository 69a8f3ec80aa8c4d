"""The display of progress for runs and commands alike: live bars on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adjudge import duration

from .wording import percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@dataclass
class Count:
    """How far one piece of work has come."""

    began: float
    """Monotonic seconds at which the first item of this process was begun."""
    done: int = 0
    """Items there are, from before a stop too."""
    fresh: int = 0
    """Items that this process made."""
    total: int | None = None
    tokens: int = 0
    """Tokens worked on, where a speed is to be shown."""
    judged: int = 0
    right: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    """Accuracies of the latest training steps, in [0, 1]."""

    def add(self, record: Mapping[str, Any], fresh: bool = True) -> None:
        """Count one record of a run."""
        self.done, self.fresh = self.done + 1, self.fresh + fresh
        if record.get("total"):
            self.done, self.total = int(record.get("step", self.done)), int(record["total"])
        if record.get("right") is not None:
            self.judged, self.right = self.judged + 1, self.right + bool(record["right"])
        if record.get("accuracy") is not None:
            self.recent.append(float(record["accuracy"]))

    @property
    def accuracy(self) -> float | None:
        """Share of right judgements so far; of training, over the latest steps."""
        if self.judged:
            return self.right / self.judged
        return sum(self.recent) / len(self.recent) if self.recent else None

    def left(self, now: float) -> float | None:
        """Seconds until complete, at this process's pace; None until two items and two seconds have set one."""
        if self.total is None or self.fresh < 2 or now - self.began < 2:
            return None
        return max(0, self.total - self.done) * (now - self.began) / self.fresh

    def words(self, now: float) -> str:
        """The count as people read it: done of total, accuracy, speed and time left, as far as they are known."""
        parts = [f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}"]
        if self.accuracy is not None:
            parts.append(f"{percent(self.accuracy)} right")
        if self.tokens and now > self.began:
            parts.append(f"{self.tokens / (now - self.began):,.0f} tokens/s")
        if (left := self.left(now)) is not None and round(left):
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)


class ProgressDisplay:
    """Bars, or lines at least `every` seconds apart where standard error is no terminal.

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
        self._said = time.monotonic()

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

    def wait_for(self, doing: str) -> None:
        """A bar for work whose items have not begun to come."""
        if self._bars is not None:
            self._tasks[""] = self._bars.add_task(doing, total=None, what="")

    def show(self, doing: str, count: Count, line: str) -> None:
        """Move the bar of this work; without a terminal print `line` and the count, if it is time for a line."""
        now = time.monotonic()
        if self.broken:
            return
        if self._bars is not None:
            if doing not in self._tasks:
                if "" in self._tasks:
                    self._bars.remove_task(self._tasks.pop(""))
                self._tasks[doing] = self._bars.add_task(doing, what="")
            self._bars.update(self._tasks[doing], completed=count.done, total=count.total, what=count.words(now))
        elif now - self._said >= self.every:
            self.say(f"{line} {count.words(now)}")

    def say(self, line: str) -> None:
        """One line, above the live display where there is one."""
        if not self.broken:
            self._said = time.monotonic()
            self.console.out(line, highlight=False)

    def clear(self) -> None:
        """Take the bars away; others may follow."""
        while self._bars is not None and self._tasks:
            self._bars.remove_task(self._tasks.popitem()[1])

    def close(self) -> None:
        """Give the terminal back."""
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
    return Bars(*columns, console=console, redirect_stdout=sys.stdout.isatty())
