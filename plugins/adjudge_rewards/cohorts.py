"""Puts the completions of one prompt together where a framework hands them over one at a time, and waits for each one's reward.

Whoever asks first opens a cohort; it is judged once, when as many completions as the group has are there. Cohorts that are complete at the
same time are judged in one call. Nobody waits for ever: a cohort that is not complete in time, one that is not judged in time, and one
whose judging fails free all who wait, with a reason in place of a number. With a `CohortStore` all of this outlives the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import replace

from adjudge import DataError, JobError

from .batches import Batches, Judges
from .cohort import Cohort, Told
from .cohort_store import CohortStore
from .conversations import Said, answer_text, prompt_text
from .group_reward import RewardCall, SampleReward
from .undecided import NEUTRALS, Undecided, decided

EVALUATED = ("test", "val", "valid", "validation", "dev", "eval")
"""What the split of a row is called where its group is as large as in evaluation."""


class SlotTaken(DataError):
    """Another completion came under this slot of this group."""


class TakesNoMore(JobError):
    """No new group is begun: the process is about to end."""


class Cohorts:
    """Groups under way, in one process and one event loop.

    `undecided` is what is said of completions that nobody could judge, whose `reason` stays; with ``raise`` they get a `JobError`.
    `collect_seconds` is how long the first completion of a group waits for the last, `judge_seconds` how long a complete group waits for
    the judge, `retry_seconds` how long a client that went away without its answer may take to come back with the same completion, and
    `keep` how many judged groups are remembered. `store` keeps them on disk; call `restore()` first.
    """

    def __init__(
        self,
        reward: Judges | Batches,
        *,
        undecided: Undecided = "none",
        collect_seconds: float = 600,
        judge_seconds: float = 3600,
        retry_seconds: float = 120,
        keep: int = 1000,
        store: CohortStore | None = None,
    ) -> None:
        self.batches = reward if isinstance(reward, Batches) else Batches(reward)
        self.undecided, self.keep, self.store = undecided, keep, store
        self.collect_seconds, self.judge_seconds, self.retry_seconds = collect_seconds, judge_seconds, retry_seconds
        self.neutral = NEUTRALS.get(getattr(self.batches.reward, "how", ""), 0.0)
        self.collecting: dict[Hashable, Cohort] = {}
        self.closed: dict[int, Cohort] = {}
        """Groups that take no more completions, being judged or judged, in the order in which they were complete."""
        self.takes_new = True
        self._of_group: dict[Hashable, list[Cohort]] = {}
        self._next_id = 1

    async def ask(
        self,
        prompt: Said,
        completion: Said,
        *,
        group: Hashable,
        size: int,
        slot: Hashable = None,
        anchors: Sequence[Said] = (),
    ) -> SampleReward:
        """The reward of this completion, once all `size` of its group are there and judged.

        Under a `slot` of its own a completion may be handed over again, and waits for the same reward or has it at once. Without, a text
        that equals one whose client went away unanswered is that client's, come again; every other is another completion. One that is
        cancelled before the group is complete takes its completion along. Raises `SlotTaken` for another text in the same slot, and
        `DataError` for another prompt or size than the group has.
        """
        told = await self.ask_with_group(prompt, completion, group=group, size=size, slot=slot, anchors=anchors)
        if told.reward.value is None and self.undecided == "raise":
            raise JobError(f"a completion has no reward: {told.reward.reason}.")
        if told.reward.value is None and self.undecided == "mean":  # of a group that failed as a whole
            return replace(told.reward, value=self.neutral)
        return told.reward

    async def ask_with_group(
        self,
        prompt: Said,
        completion: Said,
        *,
        group: Hashable,
        size: int,
        slot: Hashable = None,
        anchors: Sequence[Said] = (),
    ) -> Told:
        """The same, with the rewards of its whole group, or the kind of failure."""
        asked, text = prompt_text(prompt, "the prompt"), answer_text(completion, "the completion")
        cohort, number = self._again(group, size, asked, text, slot) or self._new(group, size, asked, text, slot, anchors)
        cohort.away.pop(number, None)
        cohort.waiting[number] = cohort.waiting.get(number, 0) + 1
        answered, failure = False, None
        try:
            if cohort.rewards is None:
                if not cohort.open:  # complete and without rewards: it is judged again, unless it still is being judged
                    self._judge_soon(cohort)
                failure = await cohort.outcome()
            answered = cohort.rewards is not None
        finally:
            cohort.waiting[number] -= 1
            if slot is None:
                self._left(cohort, number, answered)
        if failure is not None and not answered:
            return Told(SampleReward(None, reason=failure[1]), failure=failure[0])
        return cohort.told(number)

    async def restore(self) -> None:
        """Take up the groups that the store has from an earlier process."""
        if self.store is None:
            return
        until = asyncio.get_running_loop().time() + self.retry_seconds
        for cohort, unanswered in await self.store.load():
            self._next_id = max(self._next_id, cohort.id + 1)
            if cohort.complete:
                cohort.away = dict.fromkeys(unanswered, until)
                self._remember(cohort)
            else:
                self._collect(cohort)

    def stop(self) -> None:
        """Free everybody who still waits; what the store has goes on with the next process."""
        self.takes_new = False
        for cohort in [*self.collecting.values(), *self.closed.values()]:
            if cohort.rewards is None:
                cohort.free(("stopped", "the server stops; ask again once it is back"))
        self.collecting = {}

    def knows(self, group: Hashable) -> bool:
        """Whether the group is under way, or somebody may come again for a reward of it."""
        return group in self.collecting or any(one.slots or one.away or one.rewards is None for one in self._of_group.get(group, ()))

    def _again(self, group: Hashable, size: int, prompt: str, text: str, slot: Hashable) -> tuple[Cohort, int] | None:
        """The completion that this is, if it has been handed over before."""
        known = self._of_group.get(group, [])[::-1]
        if slot is None:
            if not known:
                return None
            now = asyncio.get_running_loop().time()
            for cohort in known:
                for number in cohort.with_text(text):
                    if cohort.away.get(number, 0) > now:
                        cohort.check(size, prompt)
                        return cohort, number
            return None
        if (collecting := self.collecting.get(group)) is not None:
            known.insert(0, collecting)
        for cohort in known:
            if (number := cohort.slots.get(slot, -1)) >= 0:
                cohort.check(size, prompt)
                if not cohort.says(number, text):
                    raise SlotTaken(f"group {group!r}: another completion came as {slot!r}.\n  Remedy: give each a slot of its own.")
                return cohort, number
        return None

    def _new(self, group: Hashable, size: int, prompt: str, text: str, slot: Hashable, anchors: Sequence[Said]) -> tuple[Cohort, int]:
        if (cohort := self.collecting.get(group)) is None:
            if not self.takes_new:
                raise TakesNoMore("the server stops, and begins no new group.\n  Remedy: ask again once it is back.")
            cohort, self._next_id = Cohort(self._next_id, group, size, prompt), self._next_id + 1
            self._collect(cohort)
        cohort.check(size, prompt)
        number = next(reversed(cohort.texts), -1) + 1
        cohort.texts[number], cohort.anchors[number] = text, anchors
        if slot is not None:
            cohort.slots[slot] = number
            if self.store is not None:
                self.store.add(cohort, [number])
        if cohort.complete:
            self._close(cohort)
        return cohort, number

    def _collect(self, cohort: Cohort) -> None:
        loop = asyncio.get_running_loop()
        self.collecting[cohort.group], cohort.open = cohort, True
        cohort.timer = loop.call_later(self.collect_seconds, self._give_up, cohort)

    def _left(self, cohort: Cohort, number: int, answered: bool) -> None:
        """What becomes of a completion without a slot when somebody no longer waits for it."""
        if cohort.waiting[number] or number not in cohort.texts:
            return
        if answered:
            if self.store is not None:
                self.store.answered(cohort, number)
        elif self.collecting.get(cohort.group) is cohort:
            del cohort.texts[number], cohort.anchors[number]
            if not cohort.texts:
                self._drop(cohort)
        else:
            cohort.away[number] = asyncio.get_running_loop().time() + self.retry_seconds

    def _drop(self, cohort: Cohort) -> None:
        """Forget a cohort that is not complete."""
        if cohort.timer is not None:
            cohort.timer.cancel()
        del self.collecting[cohort.group]
        if self.store is not None:
            self.store.drop(cohort)

    def _close(self, cohort: Cohort) -> None:
        """A complete one takes no more completions."""
        del self.collecting[cohort.group]
        self._judge_soon(cohort)
        self._remember(cohort)

    def _remember(self, cohort: Cohort) -> None:
        self.closed[cohort.id] = cohort
        self._of_group.setdefault(cohort.group, []).append(cohort)
        idle = (one for one in self.closed.values() if one.task is None or one.task.done())
        if len(self.closed) > self.keep and (oldest := next(idle, None)) is not None:
            del self.closed[oldest.id]
            self._of_group[oldest.group].remove(oldest)
            if not self._of_group[oldest.group]:
                del self._of_group[oldest.group]
            if self.store is not None:
                self.store.drop(oldest)

    def _give_up(self, cohort: Cohort) -> None:
        """Time is up. Answers that got lost on their way are given again; of other completions there is no number."""
        self._drop(cohort)
        for earlier in self._of_group.get(cohort.group, [])[::-1]:
            found = {number: earlier.with_text(text) for number, text in cohort.texts.items()}
            if earlier.rewards is not None and not cohort.slots and all(found.values()):
                cohort.know({number: earlier.rewards[places[0]] for number, places in found.items()})
                return cohort.free(None)
        here = f"{len(cohort.texts)} of the {cohort.size} completions of its group came within {self.collect_seconds:g} s"
        return cohort.free(("incomplete", here))

    def _judge_soon(self, cohort: Cohort) -> None:
        loop = asyncio.get_running_loop()
        if cohort.timer is not None:
            cohort.timer.cancel()
        cohort.open = True
        late = f"its group was not judged within {self.judge_seconds:g} s"
        cohort.timer = loop.call_later(self.judge_seconds, lambda: cohort.free(("late", late)))
        if cohort.task is None or cohort.task.done():
            cohort.task = asyncio.create_task(self._judge(cohort))

    async def _judge(self, cohort: Cohort) -> None:
        texts, size = list(cohort.texts.values()), cohort.size
        call = RewardCall([cohort.prompt] * size, texts, [0] * size, [list(anchors) for anchors in cohort.anchors.values()])
        try:
            if self.store is not None:
                await self.store.complete(cohort)
            answer = await self.batches.judged(call)
            if answer.metrics.get("failed") == 1:  # that is no word on the completions; asked again, it is judged again
                raise JobError(next((one.reason for one in answer.rewards if one.reason), "every call to the judge failed"))
            rewards = answer.rewards
            values = decided(rewards, [0] * size, "mean" if self.undecided == "mean" else "none", self.neutral)
            pairs = zip(rewards, values, strict=True)
            rewards = [reward if reward.value == value else replace(reward, value=value) for reward, value in pairs]
            if self.store is not None:
                await self.store.judged(cohort, rewards)
        except Exception as error:  # whatever it is, nobody may wait for ever; it is told in every reason
            return cohort.free(("failed", f"judging failed: {error}"))
        cohort.judged(rewards)
        return cohort.free(None)
