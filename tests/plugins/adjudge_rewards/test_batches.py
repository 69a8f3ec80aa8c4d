"""The one thread in which a judge is asked: what waits is judged together, who is gone is not judged, and errors reach who waits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from adjudge import Aggregator, JobError, Match, Outcome, PluginError, Plugins, Ranking
from adjudge_rewards import Batches, CohortStore, RewardAnswer, RewardCall, SampleReward, open_reward
from adjudge_rewards.cohort import Cohort


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


def test_every_sample_has_its_share_of_what_its_group_took(model: Path, toys: Plugins) -> None:
    with open_reward(
        {"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank", "anchor": "a"}, toys
    ) as reward:
        calls = [RewardCall(["p"] * 3, ["3", "9", "3"]), RewardCall(["p"] * 2, ["5", "13"], anchors=[["7"]] * 2), RewardCall(["p"], ["1"])]
        answers = reward.judged_together(calls)
        total = reward.metrics
    for answer in answers:
        assert sum(one.tokens for one in answer.rewards) == pytest.approx(answer.metrics["tokens"])
        assert len({one.tokens for one in answer.rewards}) == 1
    assert answers[0].rewards[0].tokens > 0 == answers[2].rewards[0].tokens
    every = [one for answer in answers for one in answer.rewards]
    assert sum(one.seconds for one in every) == pytest.approx(total["seconds"])
    assert {tuple(one.metrics) for one in every} == {("adjudge_undecided", "adjudge_absolute", "adjudge_tokens", "adjudge_seconds")}
    assert {type(value) for one in every for value in one.metrics.values()} == {float}
    assert [one.metrics["adjudge_undecided"] for one in every] == [0, 0, 0, 1, 1, 1]


class NoNumber(Aggregator):
    """An aggregator of somebody's whose ratings are undefined where an answer is 7."""

    use: Literal["no-number"] = "no-number"

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        outcomes = yield [Match(0, 1)]
        return Ranking((0, 1), (float("nan") if outcomes[0] is Outcome.TIE else 1.0, 0.0))


def test_a_group_without_numbers_leaves_those_that_are_judged_with_it(model: Path, toys: Plugins) -> None:
    """An aggregator's fault is told to the group that has it."""
    with open_reward({"model": str(model), "engine": "larger", "judge": {"use": "rrm"}}, toys) as opened:
        reward = opened.judge.group_reward(NoNumber(), reward="rank")

        async def main() -> list[RewardAnswer | BaseException]:
            batches = Batches(reward)
            calls = [RewardCall(["p"] * 2, pair) for pair in (["3", "9"], ["5", "5.0"], ["8", "1"])]
            found = await asyncio.gather(*map(batches.judged, calls), return_exceptions=True)
            batches.close()
            return found

        one, bad, other = asyncio.run(main())
    assert isinstance(bad, PluginError)
    assert isinstance(one, RewardAnswer)
    assert isinstance(other, RewardAnswer)
    assert {found.value for found in one.rewards} == {0.0, 1.0} == {found.value for found in other.rewards}


def test_a_file_of_groups_of_the_version_before_is_read(tmp_path: Path) -> None:
    """It has no columns of tokens and seconds."""
    file = tmp_path / "groups.db"
    store, cohort = CohortStore(file, "reward"), Cohort(1, "g", 1, "p", {0: "text"}, {0: []}, {"slot": 0})

    async def keep() -> None:
        await store.complete(cohort)
        await store.judged(cohort, [SampleReward(0.5, None, "", 12.0, 3.0)])

    asyncio.run(keep())
    store.close()
    assert asyncio.run(read(file)).rewards == {0: SampleReward(0.5)}
    assert asyncio.run(read(file)).rewards[0].metrics["adjudge_tokens"] == 12.0
    with closing(sqlite3.connect(file)) as disk:
        for statement in (
            "ALTER TABLE completions DROP COLUMN tokens",
            "ALTER TABLE completions DROP COLUMN seconds",
            "PRAGMA user_version = 1",
        ):
            disk.execute(statement)
    for _ in range(2):
        found = asyncio.run(read(file))
        assert (found.rewards, found.rewards[0].tokens) == ({0: SampleReward(0.5)}, 0.0)


async def read(file: Path) -> Cohort:
    store = CohortStore(file, "reward")
    [(cohort, _)] = await store.load()
    store.close()
    return cohort
