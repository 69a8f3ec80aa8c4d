"""The one thread in which a judge is asked beside an event loop: what waits for it is judged together, with the engine's batches shared."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from adjudge import PluginError

from .group_reward import RewardAnswer, RewardCall

Result = TypeVar("Result")
Waiting: TypeAlias = tuple[RewardCall, "asyncio.Future[RewardAnswer]"]
MOST = 4096
"""Completions in one call of the reward at most, unless a single request has more."""


class Judges(Protocol):
    """What `GroupReward` can do, as far as it is needed here."""

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]: ...


class Batches:
    """Calls of a reward from one event loop.

    `observe` is told the metrics of everything that was judged at once. The thread is a daemon: a judge that hangs does not keep a process.
    """

    def __init__(self, reward: Judges, observe: Callable[[dict[str, float]], None] = lambda metrics: None) -> None:
        self.reward, self.observe = reward, observe
        self.waiting = 0
        """Completions that wait for the judge or are being judged."""
        self._calls: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def judged(self, call: RewardCall) -> RewardAnswer:
        """What the reward says of a call. One that is cancelled before its turn is not judged."""
        answer: asyncio.Future[RewardAnswer] = asyncio.get_running_loop().create_future()
        self._calls.append((call, answer))
        self.waiting += len(call.prompts)
        answer.add_done_callback(lambda _: self._gone(len(call.prompts)))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._judge_all())
        return await answer

    async def run(self, work: Callable[[], Result]) -> Result:
        """What other work comes to that asks the same judge, in its turn."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def turn() -> None:
            result: Any = None
            error: BaseException | None = None
            if done.cancelled():
                return
            try:
                result = work()
            except BaseException as raised:
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, done, result, error)

        self._work.put(turn)
        if self._thread is None:
            self._thread = threading.Thread(target=self._take_turns, name="judge", daemon=True)
            self._thread.start()
        return await done

    def close(self) -> None:
        """Let the thread end, after what it does."""
        self._work.put(None)

    def _gone(self, size: int) -> None:
        self.waiting -= size

    def _take_turns(self) -> None:
        while (turn := self._work.get()) is not None:
            turn()

    async def _judge_all(self) -> None:
        while self._calls:
            if some := self._next():
                await self._judge(some)

    async def _judge(self, some: list[Waiting]) -> None:
        try:
            answers = await self.run(lambda: self.reward.judged_together([call for call, _ in some]))
        except Exception as error:
            if isinstance(error, PluginError) and len(some) > 1:  # such as a rating that is no number: the others are not to blame
                for one in some:
                    await self._judge([one])
                return
            for _, waiting in some:
                _settle(waiting, None, error)
            return
        for (_, waiting), answer in zip(some, answers, strict=True):
            _settle(waiting, answer, None)
        self.observe(_sum([answer.metrics for answer in answers]))

    def _next(self) -> list[Waiting]:
        """The calls that are judged next."""
        some: list[Waiting] = []
        size = 0
        while self._calls and (not some or size + len(self._calls[0][0].prompts) <= MOST):
            call, waiting = self._calls.pop(0)
            if not waiting.done():
                some.append((call, waiting))
                size += len(call.prompts)
        return some


def _settle(waiting: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(result)
    elif isinstance(error, Exception):
        waiting.set_exception(error)
    else:  # SystemExit and its kin end no thread, and may not end an event loop either
        waiting.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))


COUNTS = ("groups", "samples", "repeated", "matches", "votes", "tokens")
"""Metrics that add up."""


def _sum(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    """The metrics of several calls as those of one; shares are weighted with what they are shares of."""
    total = {name: sum(one.get(name, 0) for one in metrics) for name in COUNTS}
    total["undecided"] = _share(metrics, "undecided", "samples", total)
    total["unreadable"] = _share(metrics, "unreadable", "votes", total)
    total["seconds"] = max((one.get("seconds", 0.0) for one in metrics), default=0.0)
    return total


def _share(metrics: Sequence[dict[str, float]], name: str, of: str, total: dict[str, float]) -> float:
    return sum(one.get(name, 0.0) * one.get(of, 0) for one in metrics) / max(1, total[of])
