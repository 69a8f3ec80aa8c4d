"""When a request may begin: evenly spread, and not before an endpoint wants to be asked again, whoever waits already."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("openai", reason="the openai client is not installed")
from adjudge_engines.openai_pace import Pace


def test_who_waits_for_a_turn_already_waits_for_as_long_as_was_asked_meanwhile() -> None:
    """And turns stay apart behind it."""

    async def begin() -> list[float]:
        pace, began = Pace(per_minute=60 / 0.1), list[float]()

        async def call() -> None:
            await pace.turn()
            began.append(time.monotonic())

        await call()
        waiting = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(0.05)
        asked = time.monotonic()
        pace.hold(0.5)
        await asyncio.gather(*waiting)
        return [moment - asked for moment in began[1:]]

    for place, moment in enumerate(asyncio.run(begin())):
        assert moment >= 0.5 + 0.1 * place
