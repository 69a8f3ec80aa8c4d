"""What every route asks: the reward behind its one thread, the groups under way, the limits, and whether the server is about to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import Field

from adjudge import DataError
from adjudge_rewards import EVALUATED, Batches, Cohorts, CohortStore, Failure, GroupReward, RewardAnswer, RewardCall, Said, Told

from .metrics import Counts


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command's options say."""

    group_size: int | None = None
    eval_group_size: int | None = None
    collect_seconds: float = 600
    judge_seconds: float = 1800
    max_queue: int = 8192
    """Completions that wait."""
    max_samples: int = 1024
    """Completions in a request."""
    max_body: int = 32_000_000
    """Bytes of a request."""
    drain_seconds: float = 30
    token: str | None = None
    loopback: bool = True
    """Whether only this machine can connect."""


class Refused(Exception):
    """A request that has no answer, as its client is told."""

    def __init__(self, status: int, kind: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.retry_after = status, kind, retry_after


Result = TypeVar("Result")
Size: TypeAlias = Annotated[int | None, Field(ge=1)]
"""How many completions a group has, where the URL says it."""
FAILURES: dict[Failure, str] = {
    "incomplete": "incomplete_group",
    "late": "judging_late",
    "failed": "judging_failed",
    "stopped": "stopping",
}


class Service:
    """One reward, opened, and who waits for it."""

    def __init__(self, reward: GroupReward, settings: Settings, anchor: str | None = None, store: CohortStore | None = None) -> None:
        self.reward, self.settings, self.anchor = reward, settings, anchor
        self.waiting = 0
        """Completions that somebody waits for."""
        self.draining = False
        self.counts = Counts(self)
        self.batches = Batches(reward, self.counts.judged)
        self.cohorts = Cohorts(
            self.batches,
            undecided="mean",
            collect_seconds=settings.collect_seconds,
            judge_seconds=settings.judge_seconds,
            store=store,
        )

    async def judged(self, call: RewardCall) -> RewardAnswer:
        """What the reward says of whole groups."""
        return await self.in_time(len(call.prompts), self.batches.judged(call))

    async def in_time(self, samples: int, work: Coroutine[Any, Any, Result]) -> Result:
        """What the judge says to work on that many completions, unless too many wait or it takes too long."""
        try:
            with self.admitted(samples):
                async with asyncio.timeout(self.settings.judge_seconds):
                    return await work
        except TimeoutError:
            raise Refused(503, "judging_late", f"not judged within {self.settings.judge_seconds:g} s", retry_after=1) from None
        finally:
            work.close()

    async def ask(self, prompt: Said, completion: Said, group: Hashable, size: int, slot: Hashable, anchors: Sequence[Said]) -> Told:
        """What one completion is worth, once its group is there."""
        known = self.cohorts.knows(group)  # the rest of a group is let in, or those who wait already would wait for nothing
        with self.admitted(1, always=known):
            told = await self.cohorts.ask_with_group(prompt, completion, group=group, size=size, slot=slot, anchors=anchors)
        if told.failure is not None:
            self.counts.failed(told.failure)
            raise Refused(503, FAILURES[told.failure], told.reward.reason, retry_after=1)
        return told

    def admitted(self, samples: int, *, always: bool = False) -> Admitted:
        """The context in which that many completions wait; raises `Refused` where there are too many, or the server is about to end."""
        if samples > self.settings.max_samples:
            raise Refused(413, "too_many_samples", f"{samples} completions are more than the {self.settings.max_samples} of a request")
        if not always:
            if self.draining:
                raise Refused(503, "stopping", "the server stops, and begins nothing new", retry_after=5)
            if self.waiting and self.waiting + samples > self.settings.max_queue:
                raise Refused(429, "queue_full", f"{self.waiting} completions wait already", retry_after=1)
        return Admitted(self, samples)

    def size_of(self, row: int | None, split: Any = None, url: int | None = None) -> int:
        """How many completions a group has: what its row says, or the server's setting for evaluation, or the URL, or the server's."""
        evaluated = self.settings.eval_group_size if str(split).lower() in EVALUATED else None
        size = row or evaluated or url or self.settings.group_size
        if size is None:
            raise DataError(
                "nobody says how many completions a prompt has.\n  Remedy: start the server with --group-size, or add ?n=8 to the URL."
            )
        return size

    def close(self) -> None:
        self.batches.close()


def number(told: Told) -> float:
    """The reward of a completion whose group was judged; of an undecided one, what stands in for it."""
    assert told.reward.value is not None
    return float(told.reward.value)


class Admitted:
    """Completions that are waited for while the context lasts."""

    def __init__(self, service: Service, samples: int) -> None:
        self.service, self.samples = service, samples

    def __enter__(self) -> None:
        self.service.waiting += self.samples

    def __exit__(self, *_: object) -> None:
        self.service.waiting -= self.samples
