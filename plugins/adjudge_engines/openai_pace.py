"""When the next request may begin: evenly spread where there is a limit, and not while the endpoint asked to be left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


class Pace:
    """Turns of the callers of one endpoint."""

    def __init__(self, per_minute: float | None) -> None:
        self.interval = 60 / per_minute if per_minute else 0.0
        self.free = time.monotonic()
        self._first = asyncio.Lock()

    async def turn(self) -> None:
        """Callers stand in line, and the first looks again when it wakes, so that a wait that was asked for meanwhile holds for all."""
        async with self._first:
            begin = time.monotonic()
            while (left := self.free - time.monotonic()) > 0:
                begin = self.free
                await asyncio.sleep(left)
            self.free = begin + self.interval

    def hold(self, seconds: float) -> None:
        self.free = max(self.free, time.monotonic() + seconds)


def asked_to_wait(headers: Mapping[str, str]) -> float:
    """Seconds that an endpoint asks to wait: OpenAI's and Azure's ``retry-after-ms``, or ``retry-after`` in seconds or as a date.

    0 where it asks for nothing that can be read.
    """
    exact = _number(headers.get("retry-after-ms", ""))
    if exact is not None:
        return exact / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is None:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0


def _number(text: str) -> float | None:
    """A number above 0 and below infinity; None for another text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else 0.0
