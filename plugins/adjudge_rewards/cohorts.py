"""Puts the completions of one prompt together where a framework hands them over one at a time, and waits for each one's reward.

Whoever asks first opens a cohort; it is judged once, when as many completions as the group has are there. Cohorts that are complete at the
same time are judged in one call. Nobody waits for ever: a cohort that is not complete in time, and one whose judging fails, frees all who
wait, with a reason in place of a number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from adjudge import DataError, JobError

from .conversations import Said, answer_text, prompt_text
from .group_reward import GroupReward, SampleReward
from .undecided import Undecided, decided


class SlotTaken(DataError):
    """Another completion came under this slot of this group."""


@dataclass
class _Cohort:
    group: Hashable
    size: int
    prompt: str
    texts: dict[Hashable, str] = field(default_factory=dict)
    anchors: dict[Hashable, Sequence[Said]] = field(default_factory=dict)
    rewards: dict[Hashable, asyncio.Future[SampleReward]] = field(default_factory=dict)
    waiting: dict[Hashable, int] = field(default_factory=dict)
    """How many wait for each slot."""
    timer: asyncio.TimerHandle | None = None

    @property
    def complete(self) -> bool:
        return len(self.texts) == self.size


class Cohorts:
    """Groups under way, in one process and one event loop.

    `undecided` is what is said of completions that nobody could judge, whose `reason` stays; with ``raise`` they get a `JobError`.
    `collect_seconds` is how long the first completion of a group waits for the last; `keep` how many judged groups are remembered, for
    who asks again under a slot of theirs.
    """

    def __init__(self, reward: GroupReward, *, undecided: Undecided = "none", collect_seconds: float = 600, keep: int = 1000) -> None:
        self.reward, self.undecided, self.collect_seconds, self.keep = reward, undecided, collect_seconds, keep
        self.collecting: dict[Hashable, _Cohort] = {}
        self.closed: dict[Hashable, _Cohort] = {}
        """The last cohort of every group that takes no more completions: being judged, judged, or given up."""
        self._ready: list[_Cohort] = []
        self._task: asyncio.Task[None] | None = None

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

        Under a `slot` of its own a completion may be handed over again, and waits for the same reward or has it at once; without, every
        call is another completion, and one that is cancelled before the group is complete takes its completion along. Raises `SlotTaken`
        for another text in the same slot, and `DataError` for another prompt or size than the group has.
        """
        asked, text = prompt_text(prompt, "the prompt"), answer_text(completion, "the completion")
        cohort = self._cohort(group, size, asked, slot)
        place = object() if slot is None else slot
        if place in cohort.texts:
            if cohort.texts[place] != text:
                raise SlotTaken(f"group {group!r}: another completion came as {slot!r}.\n  Remedy: give each a slot of its own.")
        else:
            self._add(cohort, place, text, anchors)
        cohort.waiting[place] = cohort.waiting.get(place, 0) + 1
        try:
            return await asyncio.shield(cohort.rewards[place])
        finally:
            cohort.waiting[place] -= 1
            if slot is None and not cohort.complete and not cohort.waiting[place]:
                self._withdraw(cohort, place)

    def _cohort(self, group: Hashable, size: int, prompt: str, slot: Hashable) -> _Cohort:
        if slot is not None and (done := self.closed.get(group)) is not None and slot in done.texts:
            return _fitting(done, size, prompt)
        if (cohort := self.collecting.get(group)) is None:
            cohort = self.collecting[group] = _Cohort(group, size, prompt)
            cohort.timer = asyncio.get_running_loop().call_later(self.collect_seconds, self._give_up, cohort)
        return _fitting(cohort, size, prompt)

    def _add(self, cohort: _Cohort, place: Hashable, text: str, anchors: Sequence[Said]) -> None:
        cohort.texts[place], cohort.anchors[place] = text, anchors
        cohort.rewards[place] = asyncio.get_running_loop().create_future()
        if cohort.complete:
            self._close(cohort)
            self._ready.append(cohort)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._judge_ready())

    def _withdraw(self, cohort: _Cohort, place: Hashable) -> None:
        cohort.texts.pop(place, None)
        if not cohort.texts and self.collecting.get(cohort.group) is cohort:
            self._close(cohort)

    def _close(self, cohort: _Cohort) -> None:
        if cohort.timer is not None:
            cohort.timer.cancel()
        del self.collecting[cohort.group]
        self.closed.pop(cohort.group, None)
        if cohort.texts:
            self.closed[cohort.group] = cohort
        while len(self.closed) > self.keep:
            del self.closed[next(iter(self.closed))]

    def _give_up(self, cohort: _Cohort) -> None:
        """What an incomplete group comes to: no number for any of its completions."""
        self._close(cohort)
        reason = f"{len(cohort.texts)} of the {cohort.size} completions of its group came within {self.collect_seconds:g} s"
        self._settle(cohort, [SampleReward(None, reason=reason)] * len(cohort.texts))

    async def _judge_ready(self) -> None:
        while self._ready:
            cohorts, self._ready = self._ready, []
            places = [(cohort, place) for cohort in cohorts for place in cohort.texts]
            try:
                found = await asyncio.to_thread(
                    self.reward.judged,
                    [cohort.prompt for cohort, _ in places],
                    [cohort.texts[place] for cohort, place in places],
                    groups=[id(cohort) for cohort, _ in places],
                    anchors=[list(cohort.anchors[place]) for cohort, place in places],
                )
            except Exception as error:  # whatever it is, nobody may wait for ever; it is told in every reason
                found = [SampleReward(None, reason=f"judging failed: {error}")] * len(places)
            rewards = iter(found)
            for cohort in cohorts:
                self._settle(cohort, [next(rewards) for _ in cohort.texts])

    def _settle(self, cohort: _Cohort, rewards: Sequence[SampleReward]) -> None:
        values = decided(rewards, [0] * len(rewards), "mean" if self.undecided == "mean" else "none")
        for place, reward, value in zip(cohort.texts, rewards, values, strict=True):
            if value is None and self.undecided == "raise":
                cohort.rewards[place].set_exception(JobError(f"a completion has no reward: {reward.reason}."))
            else:
                cohort.rewards[place].set_result(replace(reward, value=value))


def _fitting(cohort: _Cohort, size: int, prompt: str) -> _Cohort:
    """The cohort, if it is of this prompt and size."""
    if cohort.size != size:
        raise DataError(
            f"group {cohort.group!r} has {cohort.size} completions, and this one says {size}.\n  Remedy: give all the same size."
        )
    if cohort.prompt != prompt:
        raise DataError(f"group {cohort.group!r} has another prompt.\n  Remedy: give every prompt a group of its own.")
    return cohort
