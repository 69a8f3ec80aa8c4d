"""When a request may begin: evenly spread, and not before an endpoint wants to be asked again, whoever waits already."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest

pytest.importorskip("openai", reason="the openai client is not installed")
from adjudge_engines.openai_pace import Pace, asked_to_wait


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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "2500", "retry-after": "3"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": 3600}, 3600.0),
        ({"retry-after": -3600}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "nan", "retry-after-ms": "inf"}, 0.0),
        ({}, 0.0),
    ],
)
def test_how_long_an_endpoint_asks_to_be_left_alone(headers: dict[str, str | int], seconds: float) -> None:
    """A number is so many seconds from now, told as a date."""
    now = time.time()
    headers = {name: value if isinstance(value, str) else formatdate(now + value, usegmt=True) for name, value in headers.items()}
    assert asked_to_wait(headers) == pytest.approx(seconds, abs=60)
    assert (asked_to_wait(headers) == 0) == (seconds == 0)
    if seconds < 60:
        assert asked_to_wait(headers) == seconds
