"""The one thread in which a judge is asked: what waits is judged together, who is gone is not judged, and errors reach who waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from adjudge import JobError, Plugins
from adjudge_rewards import Batches, RewardAnswer, RewardCall, SampleReward, open_reward


class Slow:
    """A reward that waits for a sign, and writes down what it was asked at once."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.go_on = threading.Event()

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        self.calls.append([str(text) for call in calls for text in call.completions])
        self.go_on.wait(30)
        if "bad" in self.calls[-1]:
            raise JobError("down")
        return [RewardAnswer([SampleReward(1.0)] * len(call.prompts), {"samples": len(call.prompts), "undecided": 0.5}) for call in calls]


def call(text: str) -> RewardCall:
    return RewardCall(["p"], [text])


def test_what_waits_is_judged_together_without_those_who_are_gone() -> None:
    reward, seen = Slow(), list[dict[str, float]]()

    async def main() -> None:
        batches = Batches(reward, seen.append)
        first = asyncio.create_task(batches.judged(call("a")))
        while not reward.calls:
            await asyncio.sleep(0.001)
        rest = [asyncio.create_task(batches.judged(call(text))) for text in ("b", "gone", "c")]
        await asyncio.sleep(0)
        assert batches.waiting == 4
        rest[1].cancel()
        reward.go_on.set()
        await asyncio.gather(first, rest[0], rest[2])
        assert batches.waiting == 0
        with pytest.raises(JobError, match="down"):
            await batches.judged(call("bad"))
        assert await batches.run(lambda: threading.current_thread().name) == "judge"
        batches.close()

    asyncio.run(main())
    assert reward.calls == [["a"], ["b", "c"], ["bad"]]
    assert [(one["samples"], one["undecided"]) for one in seen] == [(1, 0.5), (2, 0.5)]


def test_calls_that_are_judged_together_have_their_own_rewards_and_matches(model: Path, toys: Plugins) -> None:
    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank"}, toys) as reward:
        calls = [RewardCall(["p"] * 3, ["3", "9", "3"]), RewardCall(["p"] * 2, ["5", "13"])]
        one, other = reward.judged_together(calls)
    assert [found.value for found in one.rewards] == [0.25, 1.0, 0.25]
    assert (one.metrics["samples"], one.metrics["repeated"], other.metrics["samples"], other.metrics["undecided"]) == (3, 1, 2, 1.0)
    assert {frozenset(match[:2]) for match in one.matches} == {frozenset((0, 1))}
    assert [points for *_, points in other.matches] == [None]
    assert reward.metrics["samples"] == 5
