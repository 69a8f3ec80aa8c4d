"""OpenRLHF: an agent executor and a reward function that have a completion's whole group judged (tested with openrlhf 0.11.2).

OpenRLHF asks for the reward of one completion at a time. It starts all of a prompt's samples at once in one process, where the executor
sees how many there are; so nobody has to say it, neither in training nor in evaluation. A ``reward_func`` sees one text in a thread of its
own: it has to be told how many make a group. OpenRLHF has no mask: an undecided completion gets the mean of its group, and
``adjudge_undecided`` says how many there were.

``rewards`` is the relative number. ``scores`` is the absolute one, in [0, 1], because OpenRLHF's dynamic filter compares a group's mean
score with 0 and 1. Without anchors it is 0.5, the share of points that every group has within itself, and the filter keeps all groups.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from adjudge import DataError

from .cohorts import Cohorts
from .framework import tested_with
from .group_reward import RewardAnswer, RewardCall, SampleReward
from .in_process import CLOSING_MARKS, Given, LazyReward, Together

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("openrlhf", ">=0.11,<0.12", "pip install openrlhf")

from openrlhf.utils.agent import SingleTurnAgentExecutor

log = logging.getLogger("adjudge")
EVEN = 0.5
"""Every group's mean share of points within itself: the score where there is no anchor to measure it by."""
SURE = 16
"""As many characters of a shortened prompt have to be there for it to be found again."""
THREADS = 4096
"""How many calls of a reward function may wait at once; asyncio has few threads, and a group larger than those would wait in vain."""


class _Scored(LazyReward):
    """Every completion has an absolute number: its own, the mean of its group's, or `EVEN`."""

    def judged_together(self, calls: Sequence[RewardCall]) -> list[RewardAnswer]:
        found = super().judged_together(calls)
        return [replace(answer, rewards=_scored(answer.rewards, call.groups)) for call, answer in zip(calls, found, strict=True)]


def _scored(rewards: Sequence[SampleReward], groups: Sequence[Hashable] | None) -> list[SampleReward]:
    names = groups if groups is not None else [0] * len(rewards)
    known: dict[Hashable, list[float]] = {}
    for one, group in zip(rewards, names, strict=True):
        known.setdefault(group, []).extend([] if one.absolute is None else [one.absolute])
    means = {group: sum(some) / len(some) if some else EVEN for group, some in known.items()}
    return [one if one.absolute is not None else replace(one, absolute=means[group]) for one, group in zip(rewards, names, strict=True)]


def agent_executor(reward: Given, *, collect_seconds: float = 1800) -> type[Any]:
    """The class that a file of ``--train.agent_func_path`` has to call ``AgentExecutor``."""
    opened = _Scored(reward)

    class AgentExecutor(SingleTurnAgentExecutor):  # type: ignore[misc]
        """Generates as OpenRLHF does, and then waits for the other samples of its prompt."""

        def __init__(self) -> None:
            super().__init__()
            self.together = Together()
            self.cohorts = Cohorts(opened, undecided="mean", collect_seconds=collect_seconds)

        async def execute(
            self, prompt: str, label: Any, sampling_params: Any, max_length: int, hf_tokenizer: Any, llm_engine: Any, images: Any = None
        ) -> dict[str, Any]:
            async with self.together.join(sampling_params) as place:
                output = await super().execute(prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine, images)
                [(start, end)] = output["action_ranges"]
                text = await asyncio.to_thread(hf_tokenizer.decode, output["observation_tokens"][start:end], skip_special_tokens=True)
                anchors = opened.anchors_in(label)
                found = await self.cohorts.ask(
                    _question(prompt, label), text, group=place.group, size=place.group.size, slot=place.number, anchors=anchors
                )
            told = _told(found)
            return {**output, "reward": told["rewards"], "scores": told["scores"], "extra_logs": told["extra_logs"]}

    return AgentExecutor


def reward_func(reward: Given, group_size: int, *, collect_seconds: float = 1800) -> Callable[[list[str], list[str], list[Any]], Any]:
    """The function that a ``.py`` file of ``--reward.remote_url`` has to call ``reward_func``.

    `group_size` is ``--rollout.n_samples_per_prompt``. A label that is a mapping may say another ``group_size``, as rows of an evaluation
    need whose ``--eval.n_samples_per_prompt`` is another, and a ``group`` of its own where a prompt stands in several rows.
    """
    opened = _Scored(reward)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="adjudge-groups", daemon=True).start()
    cohorts = Cohorts(opened, undecided="mean", collect_seconds=collect_seconds)
    _let_threads_wait()

    def call(queries: list[str], prompts: list[str], labels: list[Any]) -> dict[str, Any]:
        [query], [prompt], [label] = queries, prompts, labels
        said = label if isinstance(label, dict) else {}
        group = said.get("group") or json.dumps([prompt, label], sort_keys=True, default=str)
        asked = cohorts.ask(
            _question(prompt, label),
            _completion(query, prompt),
            group=group,
            size=int(said.get("group_size") or group_size),
            anchors=opened.anchors_in(label),
        )
        return _told(asyncio.run_coroutine_threadsafe(asked, loop).result())

    return call


def _told(found: SampleReward) -> dict[str, Any]:
    """Numbers alone, and the same names for every sample, for OpenRLHF makes tensors of them."""
    assert found.value is not None
    return {
        "rewards": float(found.value),
        "scores": EVEN if found.absolute is None else float(found.absolute),
        "extra_logs": found.metrics,
    }


def _question(prompt: str, label: Any) -> Any:
    """What the judge is shown as the question: ``prompt`` of a label that has one, else the text with the marks of the chat's template."""
    return (label.get("prompt") if isinstance(label, dict) else None) or prompt


def _completion(query: str, prompt: str) -> str:
    """The completion in a text of prompt and completion, in which the prompt may have lost its beginning to the longest length."""
    starts = [0, *range(1, len(prompt) - SURE)]
    at = next((start for start in starts if query.startswith(prompt[start:])), None)
    if at is None:
        problem = "a query does not begin with its prompt, for the tokenizer does not give back the text that it was given"
        log.error("%s; this completion gets no reward, and OpenRLHF will end", problem)  # which tells it at its level info alone
        raise DataError(f"{problem}.\n  Remedy: use adjudge_rewards.openrlhf.agent_executor, which sees the tokens.")
    return CLOSING_MARKS.sub("", query[len(prompt) - at :])


def _let_threads_wait() -> None:
    """OpenRLHF loads this function in the event loop from whose threads it will be called."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="adjudge-waiting"))
