"""Cohorts under any order of arrivals, departures, repetitions, failures, late judges, clocks that run out, and restarts, by a model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adjudge import JobError
from adjudge_rewards import Batches, Cohorts, CohortStore, RewardAnswer, RewardCall, SampleReward, SlotTaken, Told

SIZES = {"a": 1, "b": 2, "c": 3}
COLLECT, JUDGE, RETRY = 100.0, 1000.0, 50.0


class Held(Batches):
    """A judge that answers when the machine says so; a reward says which call made it, and where its text stood in the group."""

    def __init__(self) -> None:
        super().__init__(self)
        self.open: list[tuple[RewardCall, asyncio.Future[RewardAnswer]]] = []
        self.judged_calls: list[RewardCall] = []

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        raise AssertionError("it is asked through `judged`")

    async def judged(self, call: RewardCall) -> RewardAnswer:
        answer: asyncio.Future[RewardAnswer] = asyncio.get_running_loop().create_future()
        self.open.append((call, answer))
        return await answer

    def finish(self, fails: bool) -> None:
        call, answer = self.open.pop(0)
        if fails:
            answer.set_exception(JobError("down"))
            return
        self.judged_calls.append(call)
        mark = len(self.judged_calls) * 10
        texts = sorted(map(str, call.completions))
        answer.set_result(RewardAnswer([SampleReward(float(mark + texts.index(str(text)))) for text in call.completions], {}))


@dataclass
class Client:
    """One that asks, and what it was told."""

    group: str
    slot: int | None
    text: str
    task: asyncio.Task[Told]
    read: bool = False


class CohortMachine(RuleBasedStateMachine):
    """A model of what clients may see: who has which slot, and what every judged call held."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.loop.time = lambda: self.now  # type: ignore[method-assign]
        self.judge, self.slots, self.clients = Held(), {}, []  # type: ignore[var-annotated]
        self.answers: dict[tuple[str, int], float] = {}
        self._start()

    def _start(self) -> None:
        self.store = CohortStore(self.folder / "groups.db", "reward")
        self.cohorts = Cohorts(self.judge, collect_seconds=COLLECT, judge_seconds=JUDGE, retry_seconds=RETRY, store=self.store, keep=1000)
        self.loop.run_until_complete(self.cohorts.restore())

    def _settle(self) -> None:
        """Let everything happen that can happen without the machine."""

        async def work() -> None:
            for _ in range(3):
                for _ in range(10):
                    await asyncio.sleep(0)
                await self.store.flush()

        self.loop.run_until_complete(work())
        for client in self.clients:
            if client.task.done() and not client.read:
                client.read = True
                self._look_at(client)

    def _look_at(self, client: Client) -> None:
        if client.task.cancelled() or client.task.exception() is not None:
            return
        told = client.task.result()
        if told.failure is not None:
            assert told.reward.value is None
            assert told.reward.reason
            return
        assert told.reward.value is not None
        call = self.judge.judged_calls[int(told.reward.value // 10) - 1]
        assert client.text in call.completions, "judged with its own text"
        assert told.reward.value % 10 == sorted(map(str, call.completions)).index(client.text)
        assert len(call.completions) == SIZES[client.group], "judged as a whole"
        if client.slot is not None:
            assert self.answers.setdefault((client.group, client.slot), told.reward.value) == told.reward.value, "always the same"

    def _ask(self, group: str, slot: int | None, text: str) -> Client:
        name = group if slot is None else f"{group} with slots"
        ask = self.cohorts.ask_with_group(name, text, group=name, size=SIZES[group], slot=slot)
        self.clients.append(Client(group, slot, text, self.loop.create_task(ask)))
        self._settle()
        return self.clients[-1]

    @rule(group=st.sampled_from("abc"), text=st.sampled_from("xy"))
    def ask_without_a_slot(self, group: str, text: str) -> None:
        self._ask(group, None, text)

    @rule(group=st.sampled_from("bc"), slot=st.integers(0, 2), text=st.sampled_from("xy"))
    def ask_for_a_slot(self, group: str, slot: int, text: str) -> None:
        slot %= SIZES[group]
        client = self._ask(group, slot, text)
        known = self.slots.setdefault((group, slot), text)
        taken = client.task.done() and not client.task.cancelled() and isinstance(client.task.exception(), SlotTaken)
        assert taken == (known != text)

    @rule(group=st.sampled_from("bc"), text=st.sampled_from("xy"), fails=st.booleans())
    def ask_for_all_slots_and_judge(self, group: str, text: str, fails: bool) -> None:
        for slot in range(SIZES[group]):
            self.ask_for_a_slot(group, slot, self.slots.get((group, slot), text))
        if self.judge.open:
            self.judge_one(fails)

    @precondition(lambda self: any(not client.task.done() for client in self.clients))
    @rule(which=st.integers(0, 20), again=st.booleans())
    def leave_and_perhaps_ask_again(self, which: int, again: bool) -> None:
        waiting = [client for client in self.clients if not client.task.done()]
        client = waiting[which % len(waiting)]
        client.task.cancel()
        self._settle()
        if again:
            self._ask(client.group, client.slot, client.text)

    @precondition(lambda self: self.judge.open)
    @rule(fails=st.booleans())
    def judge_one(self, fails: bool) -> None:
        self.judge.finish(fails)
        self._settle()

    @rule(seconds=st.sampled_from([RETRY + 1, COLLECT + 1, JUDGE + 1]))
    def time_passes(self, seconds: float) -> None:
        before = list(self.cohorts.collecting.values())
        self.now += seconds
        self._settle()
        for cohort in before:
            if self.cohorts.collecting.get(cohort.group) is not cohort:
                for slot in cohort.slots:
                    del self.slots[str(cohort.group)[0], slot]

    @precondition(lambda self: self.judge.open or self.judge.judged_calls)
    @rule()
    def killed_and_started_again(self) -> None:
        waiting = [client for client in self.clients if not client.task.done()]
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._settle()
        self.judge.open.clear()
        self.store.close()
        self._start()
        for (group, slot), value in self.answers.items():
            again = self._ask(group, slot, self.slots[group, slot])
            assert again.task.done(), "known without a judge"
            assert again.task.result().reward.value == value
        for client in waiting:
            self._ask(client.group, client.slot, client.text)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if not self.judge.open and not self.cohorts.collecting:
            assert all(client.task.done() for client in self.clients)

    @invariant()
    def no_group_with_slots_is_judged_twice(self) -> None:
        judged = [call.prompts[0] for call in self.judge.judged_calls if "slots" in str(call.prompts[0])]
        assert len(judged) == len(set(judged))

    def teardown(self) -> None:
        """Nobody waits for ever."""
        self.now += COLLECT + 1
        self._settle()
        self.now += JUDGE + 1
        self._settle()
        assert all(client.task.done() for client in self.clients)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._settle()
        self.store.close()
        self.loop.close()
        shutil.rmtree(self.folder)


TestCohorts: Any = CohortMachine.TestCase
TestCohorts.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
