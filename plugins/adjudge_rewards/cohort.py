"""One group under way: the completions that are there, who waits for them, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from adjudge import DataError

from .conversations import Said
from .group_reward import SampleReward

Failure: TypeAlias = Literal["incomplete", "late", "failed", "stopped"]
"""Why a group has no rewards.

``incomplete``: not all came in time. ``late``: the judge was not done in time. ``failed``: it could not be asked. ``stopped``: its
process ends.
"""


class GroupRewards(tuple[SampleReward, ...]):
    """Of all completions of a group, in the order in which they came; empty where the group failed."""

    @cached_property
    def span(self) -> tuple[float, float]:
        """The lowest reward and the highest."""
        values = [one.value for one in self if one.value is not None]
        return min(values), max(values)

    @cached_property
    def absolute(self) -> float | None:
        """The mean of those that have an absolute number."""
        known = [one.absolute for one in self if one.absolute is not None]
        return sum(known) / len(known) if known else None


NO_REWARDS = GroupRewards()


@dataclass(frozen=True, slots=True)
class Told:
    """What whoever asked for one completion is told."""

    reward: SampleReward
    group: GroupRewards = NO_REWARDS
    failure: Failure | None = None


@dataclass
class Cohort:
    """The completions of one group, by the number under which each came."""

    id: int
    group: Hashable
    size: int
    prompt: str
    texts: dict[int, str] = field(default_factory=dict)
    """What the completions say; once they are judged, their marks, by which a repeated one is known."""
    anchors: dict[int, Sequence[Said]] = field(default_factory=dict)
    slots: dict[Hashable, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    """How many wait for each."""
    away: dict[int, float] = field(default_factory=dict)
    """Completions without a slot whose client went away unanswered, and until when on the loop's clock it may come again."""
    rewards: Mapping[int, SampleReward] | None = None
    in_order: GroupRewards = NO_REWARDS
    """The rewards, as all of the group are told them."""
    open: bool = False
    """Whether somebody works on an outcome: siblings may come, or the judge is asked."""
    waiters: dict[asyncio.Future[tuple[Failure, str] | None], None] = field(default_factory=dict)
    """Those who are there now; each is told None where there are rewards, or why there are none."""
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    @property
    def complete(self) -> bool:
        return len(self.texts) == self.size

    def says(self, number: int, text: str) -> bool:
        """Whether this is what the completion of this number says."""
        return self.texts[number] == (text if self.rewards is None else mark_of(text))

    def with_text(self, text: str) -> list[int]:
        """The completions that say this."""
        wanted = text if self.rewards is None else mark_of(text)
        return [number for number, one in self.texts.items() if one == wanted]

    def judged(self, rewards: Sequence[SampleReward]) -> None:
        """Keep the rewards, and of the texts no more than it takes to know them again."""
        self.know(dict(zip(self.texts, rewards, strict=True)))
        self.texts = {number: mark_of(text) for number, text in self.texts.items()}
        self.prompt, self.anchors = mark_of(self.prompt), {}

    def know(self, rewards: Mapping[int, SampleReward]) -> None:
        """These are the rewards, by number."""
        self.rewards, self.in_order = rewards, GroupRewards(rewards.values())

    def told(self, number: int) -> Told:
        assert self.rewards is not None
        return Told(self.rewards[number], self.in_order)

    async def outcome(self) -> tuple[Failure, str] | None:
        """Wait for rewards, or for why there are none."""
        waiter: asyncio.Future[tuple[Failure, str] | None] = asyncio.get_running_loop().create_future()
        self.waiters[waiter] = None
        try:
            return await waiter
        finally:
            self.waiters.pop(waiter, None)

    def free(self, failure: tuple[Failure, str] | None) -> None:
        """Let everybody go on who waits."""
        if self.timer is not None:
            self.timer.cancel()
        self.open = False
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(failure)

    def check(self, size: int, prompt: str) -> None:
        """Raise `DataError` unless it is of this size and prompt."""
        if self.size != size:
            raise DataError(
                f"group {self.group!r} has {self.size} completions, and this one says {size}.\n  Remedy: give all the same size."
            )
        if self.prompt != (prompt if self.rewards is None else mark_of(prompt)):
            raise DataError(f"group {self.group!r} has another prompt.\n  Remedy: give every prompt a group of its own.")


def mark_of(text: str) -> str:
    """What this process keeps of a text that is judged."""
    return f"{hash(text):x}"
