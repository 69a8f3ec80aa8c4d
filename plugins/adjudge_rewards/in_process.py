"""What adapters share whose framework asks for one completion at a time in one process: the judge, who is a group, where it meets."""

from __future__ import annotations

import asyncio
import atexit
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from adjudge import Plugins

from .anchors import anchors_in
from .cohorts import Cohorts
from .config import RewardConfig, open_reward, read_reward, whole
from .group_reward import GroupReward, RewardAnswer, RewardCall

Given: TypeAlias = str | FilePath | dict[str, Any] | RewardConfig | GroupReward
"""A reward's file, what stands in it, or a reward that is open already."""
CLOSING_MARKS = re.compile(r"(?:\s*(?:<[|｜][^<>|｜]*[|｜]>|</s>|<eos>|<pad>|<end_of_turn>))+\s*$")
"""Special tokens that end a completion which was decoded with them."""


class LazyReward(GroupReward):
    """A reward whose judge is opened with its first group; a mistake in its file is told at once."""

    def __init__(self, given: Given) -> None:
        self.metrics = {}
        self.anchor: str | None = None
        self._lock = threading.Lock()
        self._reward: GroupReward | None = None
        self._config: RewardConfig | None = None
        if isinstance(given, GroupReward):
            self._reward, self.how = given, given.how
        else:
            self._config = read_reward(given) if isinstance(given, str | FilePath) else whole(given, "the reward", Plugins.load())
            self.anchor, self.how = self._config.anchor, self._config.reward

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        with self._lock:
            if self._reward is None:
                assert self._config is not None
                opened = ExitStack()
                self._reward = opened.enter_context(open_reward(self._config))
                atexit.register(opened.close)
        found = self._reward.judged_together(calls)
        self.metrics = self._reward.metrics
        return found

    def anchors_in(self, row: Any) -> list[Any]:
        """The reference answers in the column that the reward names: of a row, or where a framework has one column alone, all of it."""
        return anchors_in(self.anchor, row)


@dataclass(eq=False)
class Group:
    """The calls that a framework began together; `Cohorts` takes it for the group's name."""

    shared: object
    size: int = 0
    under_way: int = 0


@dataclass(frozen=True)
class Place:
    """One of a group's calls."""

    group: Group
    number: int


class Together:
    """Finds and counts the groups among coroutines that a framework starts at once with one object in common."""

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}

    @asynccontextmanager
    async def join(self, shared: object) -> AsyncIterator[Place]:
        """Be one of those that share this object."""
        group = self._groups.setdefault(id(shared), Group(shared))
        place = Place(group, group.size)
        group.size += 1
        group.under_way += 1
        try:
            await asyncio.sleep(0)  # whoever was started along with this one has come here before it goes on
            yield place
        finally:
            group.under_way -= 1
            if not group.under_way:
                del self._groups[id(shared)]


_rewards: dict[str, LazyReward] = {}
_cohorts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Cohorts]] = WeakKeyDictionary()


def reward_of(file: FilePath | str) -> LazyReward:
    """The one reward that this process has of a file."""
    path = str(FilePath(file).absolute())
    if path not in _rewards:
        _rewards[path] = LazyReward(path)
    return _rewards[path]


def cohorts_of(file: FilePath | str, **options: Any) -> Cohorts:
    """The one meeting place for a file's groups in the running event loop."""
    here = _cohorts.setdefault(asyncio.get_running_loop(), {})
    path = str(FilePath(file).absolute())
    if path not in here:
        here[path] = Cohorts(reward_of(file), **options)
    return here[path]
