"""An event loop in a thread of its own, so that calls go on while their caller, who knows no event loop, works on what has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


class Background:
    """The loop; it runs until it is closed."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def stream(self, work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Iterator[T]:
        """What ``work(put)`` puts, as it is put; an exception of it comes after all that was put before it.

        Whoever stops reading, by Ctrl-C as by `close`, ends the work.
        """
        queue: SimpleQueue[Any] = SimpleQueue()
        done = asyncio.run_coroutine_threadsafe(work(queue.put), self.loop)
        done.add_done_callback(lambda _: queue.put(_END))
        try:
            while (item := queue.get()) is not _END:
                yield item
            done.result()
        finally:
            done.cancel()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """End what is still under way, do a last thing, and end the thread."""
        self.run(_cancel_others())
        self.run(last)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
