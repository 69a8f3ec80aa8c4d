"""Completions that come one at a time: judged once and together, in any order of arrival, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import DataError, JobError, Plugins
from adjudge_rewards import Cohorts, GroupReward, RewardAnswer, RewardCall, SampleReward, SlotTaken, open_reward


class Counted:
    """A reward that counts how often every completion is judged; places among the sorted texts, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.error = error

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        self.calls.append([str(text) for call in calls for text in call.completions])
        if self.error is not None:
            raise self.error
        return [
            RewardAnswer([SampleReward(float(sorted(map(str, call.completions)).index(str(text)))) for text in call.completions], {})
            for call in calls
        ]


def run(work: Callable[[Cohorts], Any], reward: Any = None, **options: Any) -> Any:
    """What a coroutine gives that uses cohorts."""

    async def main() -> Any:
        return await work(Cohorts(reward or Counted(), **options))

    return asyncio.run(main())


def test_a_real_judge_rewards_completions_that_come_one_by_one(model: Path, toys: Plugins) -> None:
    async def work(cohorts: Cohorts) -> list[SampleReward]:
        return await asyncio.gather(*(cohorts.ask("p", text, group="g", size=3) for text in ("3", "9", "5")))

    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank"}, toys) as reward:
        assert isinstance(reward, GroupReward)
        assert [one.value for one in run(work, reward)] == [0.0, 1.0, 0.5]


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    slots=st.booleans(),
    repeats=st.integers(0, 3),
)
def test_every_group_is_judged_once_whatever_the_order(sizes: list[int], seed: int, slots: bool, repeats: int) -> None:
    rng, reward = random.Random(seed), Counted()
    asked = [(group, slot, size) for group, size in enumerate(sizes) for slot in range(size)]
    again = [rng.choice(asked) for _ in range(repeats)] if slots else []
    order = rng.sample([*asked, *again], len(asked) + len(again))

    async def one(cohorts: Cohorts, group: int, slot: int, size: int) -> tuple[int, int, float | None]:
        await asyncio.sleep(0.0005 * rng.random())
        found = await cohorts.ask(f"p{group}", f"{group}-{slot}", group=group, size=size, slot=slot if slots else None)
        return group, slot, found.value

    async def work(cohorts: Cohorts) -> list[tuple[int, int, float | None]]:
        return await asyncio.gather(*(one(cohorts, *who) for who in order))

    assert all(value == slot for _, slot, value in run(work, reward))
    judged = [text for call in reward.calls for text in call]
    assert sorted(judged) == sorted(f"{group}-{slot}" for group, slot, _ in asked)


def test_a_slot_may_be_asked_again_with_the_same_text_alone() -> None:
    reward = Counted()

    async def work(cohorts: Cohorts) -> None:
        first = asyncio.create_task(cohorts.ask("p", "a", group="g", size=2, slot=0))
        await asyncio.sleep(0)
        with pytest.raises(SlotTaken, match="another completion came as 0"):
            await cohorts.ask("p", "other", group="g", size=2, slot=0)
        first.cancel()  # the client went away, and asks again
        again = asyncio.create_task(cohorts.ask("p", "a", group="g", size=2, slot=0))
        assert (await cohorts.ask("p", "b", group="g", size=2, slot=1)).value == 1.0
        assert (await again).value == 0.0
        assert (await cohorts.ask("p", "b", group="g", size=2, slot=1)).value == 1.0, "judged already"
        with pytest.raises(SlotTaken):
            await cohorts.ask("p", "c", group="g", size=2, slot=1)

    run(work, reward)
    assert reward.calls == [["a", "b"]]


def test_a_completion_without_a_slot_goes_with_its_client() -> None:
    reward = Counted()

    async def work(cohorts: Cohorts) -> None:
        gone = asyncio.create_task(cohorts.ask("p", "gone", group="g", size=2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        assert cohorts.collecting == {}
        both = await asyncio.gather(*(cohorts.ask("p", text, group="g", size=2) for text in "ba"))
        assert [one.value for one in both] == [1.0, 0.0]

    run(work, reward)
    assert reward.calls == [["b", "a"]]


def test_an_incomplete_group_is_told_so_in_time() -> None:
    async def work(cohorts: Cohorts) -> list[SampleReward]:
        return await asyncio.gather(*(cohorts.ask("p", text, group="g", size=3) for text in "ab"))

    reward = Counted()
    for one in run(work, reward, collect_seconds=0.02):
        assert (one.value, one.reason) == (None, "2 of the 3 completions of its group came within 0.02 s")
    assert reward.calls == []


def test_a_judge_that_fails_frees_everybody() -> None:
    async def work(cohorts: Cohorts) -> list[SampleReward]:
        return await asyncio.gather(*(cohorts.ask("p", text, group="g", size=2) for text in "ab"))

    for one in run(work, Counted(JobError("the endpoint is down"))):
        assert (one.value, one.reason) == (None, "judging failed: the endpoint is down")


@pytest.mark.parametrize("failure", ["incomplete", "failed", "late"])
def test_where_there_is_no_mask_a_group_without_rewards_is_all_alike(failure: str) -> None:
    """A framework without a mask is never handed None, whatever became of the group."""

    class Slow(Counted):
        def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
            time.sleep(0.3)
            return super().judged_together(calls)

    async def work(cohorts: Cohorts) -> list[SampleReward]:
        size = 3 if failure == "incomplete" else 2
        return await asyncio.gather(*(cohorts.ask("p", text, group="g", size=size) for text in ("3", "9")))

    reward = {"incomplete": Counted(), "failed": Counted(RuntimeError("no judge")), "late": Slow()}[failure]
    found = run(work, reward, undecided="mean", collect_seconds=0.1, judge_seconds=0.05 if failure == "late" else 60)
    assert [one.value for one in found] == [0.0, 0.0]
    assert all(one.reason for one in found)


def test_where_there_is_no_mask_an_undecided_one_has_the_mean_of_its_group(model: Path, toys: Plugins) -> None:
    async def work(cohorts: Cohorts) -> list[Any]:
        asked = (cohorts.ask("p", text, group="g", size=3) for text in ("3", "13", "9"))
        return await asyncio.gather(*asked, return_exceptions=True)

    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank"}, toys) as reward:
        assert [one.value for one in run(work, reward, undecided="none")] == [0.0, None, 1.0]
        low, mean, high = run(work, reward, undecided="mean")
        assert [low.value, mean.value, high.value] == [0.0, 0.5, 1.0]
        assert (low.reason, mean.reason) == ("", "none of its judgements could be read: 2 failed")
        _, error, _ = run(work, reward, undecided="raise")
        assert isinstance(error, JobError)


def test_a_group_has_one_prompt_and_one_size() -> None:
    async def work(cohorts: Cohorts) -> None:
        waiting = asyncio.create_task(cohorts.ask("p", "a", group="g", size=2))
        await asyncio.sleep(0)
        with pytest.raises(DataError, match="has another prompt"):
            await cohorts.ask("q", "b", group="g", size=2)
        with pytest.raises(DataError, match="has 2 completions, and this one says 3"):
            await cohorts.ask("p", "b", group="g", size=3)
        waiting.cancel()

    run(work)


def test_the_same_group_may_come_again() -> None:
    """In the next step, or in evaluation, without slots."""
    reward = Counted()

    async def work(cohorts: Cohorts) -> None:
        for texts in ("ab", "dc"):
            await asyncio.gather(*(cohorts.ask("p", text, group="g", size=2) for text in texts))

    run(work, reward)
    assert reward.calls == [["a", "b"], ["d", "c"]]


def test_what_is_remembered_is_bounded() -> None:
    async def work(cohorts: Cohorts) -> int:
        for group in range(20):
            await cohorts.ask("p", "a", group=group, size=1, slot=0)
        return len(cohorts.closed)

    assert run(work, keep=5) == 5


def test_an_answer_that_got_lost_is_given_again_when_its_group_does_not_come_together() -> None:
    reward = Counted()

    async def work(cohorts: Cohorts) -> None:
        await asyncio.gather(*(cohorts.ask("p", text, group="g", size=3) for text in "abb"))
        told = await cohorts.ask_with_group("p", "b", group="g", size=3)
        assert (told.reward.value, told.failure) == (1.0, None)
        told = await cohorts.ask_with_group("p", "other", group="g", size=3)
        assert (told.reward.value, told.failure) == (None, "incomplete")

    run(work, reward, collect_seconds=0.02)
    assert reward.calls == [["a", "b", "b"]]


def test_equal_siblings_are_siblings_while_somebody_waits_for_each() -> None:
    reward = Counted()

    async def work(cohorts: Cohorts) -> None:
        first = asyncio.create_task(cohorts.ask("p", "a", group="g", size=3))
        second = asyncio.create_task(cohorts.ask("p", "a", group="g", size=3))
        await asyncio.sleep(0)
        second.cancel()  # and asks again
        await asyncio.sleep(0)
        found = await asyncio.gather(first, *(cohorts.ask("p", text, group="g", size=3) for text in "ab"))
        assert [one.value for one in found] == [0.0, 0.0, 2.0]

    run(work, reward)
    assert reward.calls == [["a", "a", "b"]]


def test_of_a_group_in_which_nothing_is_decided_all_have_what_equals_have(model: Path, toys: Plugins) -> None:
    async def work(cohorts: Cohorts) -> list[SampleReward]:
        return await asyncio.gather(*(cohorts.ask("p", text, group="g", size=2) for text in ("13", "9")))

    for how, neutral in (("win-rate", 0.5), ("rank", 0.5), ("standardised", 0.0)):
        config = {"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": how}
        with open_reward(config, toys) as reward:
            found = run(work, reward, undecided="mean")
        assert [one.value for one in found] == [neutral] * 2
        assert all(one.reason for one in found)
