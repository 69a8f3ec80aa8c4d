"""One group under way: the completions that are there, who waits for them, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from adjudge import DataError, stable_id

from .conversations import Said
from .group_reward import SampleReward

Failure: TypeAlias = Literal["incomplete", "late", "failed", "stopped"]
"""Why a group has no rewards.

``incomplete``: not all came in time. ``late``: the judge was not done in time. ``failed``: it could not be asked. ``stopped``: its
process ends.
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What whoever asked for one completion is told."""

    reward: SampleReward
    group: tuple[SampleReward, ...] = ()
    """Of all completions of its group, in the order in which they came; empty where the group failed."""
    failure: Failure | None = None


@dataclass
class Cohort:
    """The completions of one group, by the number under which each came."""

    id: int
    group: Hashable
    size: int
    prompt: str
    texts: dict[int, str] = field(default_factory=dict)
    """What the completions say; once they are judged, a hash of it, by which a repeated one is known."""
    anchors: dict[int, Sequence[Said]] = field(default_factory=dict)
    slots: dict[Hashable, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    """How many wait for each."""
    away: dict[int, float] = field(default_factory=dict)
    """Completions without a slot whose client went away unanswered, and until when on the loop's clock it may come again."""
    rewards: dict[int, SampleReward] | None = None
    done: asyncio.Future[tuple[Failure, str] | None] | None = None
    """What those wait for who are there now: None where there are rewards, or why there are none."""
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    @property
    def complete(self) -> bool:
        return len(self.texts) == self.size

    def says(self, number: int, text: str) -> bool:
        """Whether this is what the completion of this number says."""
        return self.texts[number] == (text if self.rewards is None else stable_id(text))

    def with_text(self, text: str) -> list[int]:
        """The completions that say this."""
        wanted = text if self.rewards is None else stable_id(text)
        return [number for number, one in self.texts.items() if one == wanted]

    def judged(self, rewards: Sequence[SampleReward]) -> None:
        """Keep the rewards, and of the texts no more than it takes to know them again."""
        self.rewards = dict(zip(self.texts, rewards, strict=True))
        self.texts = {number: stable_id(text) for number, text in self.texts.items()}
        self.prompt, self.anchors = stable_id(self.prompt), {}

    def told(self, number: int) -> Told:
        assert self.rewards is not None
        return Told(self.rewards[number], tuple(self.rewards.values()))

    def free(self, failure: tuple[Failure, str] | None) -> None:
        """Let everybody go on who waits."""
        if self.timer is not None:
            self.timer.cancel()
        if self.done is not None and not self.done.done():
            self.done.set_result(failure)

    def check(self, size: int, prompt: str) -> None:
        """Raise `DataError` unless it is of this size and prompt."""
        if self.size != size:
            raise DataError(
                f"group {self.group!r} has {self.size} completions, and this one says {size}.\n  Remedy: give all the same size."
            )
        if self.prompt != (prompt if self.rewards is None else stable_id(prompt)):
            raise DataError(f"group {self.group!r} has another prompt.\n  Remedy: give every prompt a group of its own.")
