"""How far one piece of work has come: items, tokens as they come, and what time is left at this pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adjudge import duration

from .wording import percent

LATELY = 30.0
"""Seconds over which a speed is taken."""
APART = 0.5
"""Seconds between two looks that are kept."""


@dataclass
class Count:
    """Items done, and tokens where they are sampled or scored."""

    began: float
    """Monotonic seconds at which the first item of this process was begun."""
    done: int = 0
    """Items there are, from before a stop too."""
    fresh: int = 0
    """Items that this process made."""
    total: int | None = None
    tokens: int = 0
    """Tokens worked on, those of items that are not done yet included."""
    finished: int = 0
    """Tokens of the items that this process made."""
    limit: int | None = None
    """Tokens that an item may have; None = unknown."""
    judged: int = 0
    right: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    """Accuracies of the latest training steps, in [0, 1]."""
    looks: deque[tuple[float, int]] = field(default_factory=deque)
    """When how many tokens were seen, over the last half minute."""

    def add(self, record: Mapping[str, Any], fresh: bool = True) -> None:
        """Count one record of a run."""
        self.done, self.fresh = self.done + 1, self.fresh + fresh
        self.finished += fresh * _tokens(record)
        if record.get("total"):
            self.done, self.total = int(record.get("step", self.done)), int(record["total"])
        if record.get("right") is not None:
            self.judged, self.right = self.judged + 1, self.right + bool(record["right"])
        if record.get("accuracy") is not None:
            self.recent.append(float(record["accuracy"]))

    def see(self, now: float, tokens: int) -> None:
        """Note how many tokens there are by now."""
        self.tokens = tokens
        if not tokens:
            self.looks.clear()  # a model that is being loaded is not slow
        elif not self.looks:
            self.looks.append((self.began, 0))
        if not self.looks or now - self.looks[-1][0] >= APART:
            self.looks.append((now, tokens))
        while len(self.looks) > 2 and self.looks[0][0] < now - LATELY:
            self.looks.popleft()

    @property
    def accuracy(self) -> float | None:
        """Share of right judgements so far; of training, over the latest steps."""
        if self.judged:
            return self.right / self.judged
        return sum(self.recent) / len(self.recent) if self.recent else None

    def speed(self, now: float) -> float | None:
        """Tokens per second over the last half minute; None where there are none."""
        since, before = self.looks[0] if self.looks else (self.began, 0)
        return (self.tokens - before) / (now - since) if self.tokens > before and now > since else None

    def left(self, now: float) -> float | None:
        """Seconds until complete, at this process's pace; None until two items and two seconds have set one."""
        if self.total is None or self.fresh < 2 or now - self.began < 2:
            return None
        left = max(0, self.total - self.done)
        if self.finished and (speed := self.speed(now)):
            return max(0.0, left * self.finished / self.fresh - self._under_way) / speed
        return left * (now - self.began) / self.fresh

    def longest(self, now: float) -> float | None:
        """Seconds until complete if every item took all its tokens: what is known before items are done."""
        if self.total is None or self.limit is None or now - self.began < 2 or not (speed := self.speed(now)):
            return None
        return max(0, (self.total - self.done) * self.limit - self._under_way) / speed

    @property
    def _under_way(self) -> int:
        """Tokens of items that are not done yet."""
        return max(0, self.tokens - self.finished)

    def words(self, now: float) -> str:
        """The count as people read it: done of total, accuracy, speed and time left, as far as they are known."""
        parts = [f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}"]
        if self.accuracy is not None:
            parts.append(f"{percent(self.accuracy)} right")
        if speed := self.speed(now):
            parts.append(f"{speed:,.0f} tokens/s")
        if (left := self.left(now)) is not None:
            parts += [f"about {duration(left)} left"] if round(left) else []
        elif left := self.longest(now):
            parts.append(f"at most {duration(left)} left")
        return ", ".join(parts)


def _tokens(record: Mapping[str, Any]) -> int:
    """Tokens of a judgement's record; others, such as those of chosen paths, tell of tokens that were sampled before."""
    made = record.get("completion") or {} if "outcome" in record else {}
    return int(made.get("tokens", len(made.get("token_ids", ()))))
