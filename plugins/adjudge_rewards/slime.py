"""slime: a reward for a whole group or for one sample that waits for its group, and the step after it (tested with slime at 624b824).

``--group-rm --custom-rm-path adjudge_rewards.slime.group_reward`` judges a prompt's samples once all are there, and is the better choice
for training. ``--custom-rm-path adjudge_rewards.slime.reward`` waits for a sample's group, and serves slime's evaluation, which takes no
group: there a sample is worth its share of points against its anchors. slime has no mask and takes neither None nor NaN: an undecided
sample gets the mean of its group. ``--custom-reward-post-process-path adjudge_rewards.slime.post_process`` keeps those out of the group's
mean and spread, and normalises each group by itself where samples are missing. ``--custom-rollout-log-function-path
adjudge_rewards.slime.log_rollout`` logs what the judge took.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import sys
from collections import Counter
from collections.abc import Coroutine, Hashable, Sequence
from dataclasses import replace
from typing import Any

from adjudge import ConfigError

from .framework import tested_with
from .group_reward import SampleReward
from .in_process import CLOSING_MARKS, cohorts_of, reward_of
from .undecided import decided

tested_with("slime", ">=0.3,<0.4", "clone github.com/THUDM/slime and put it on the path")

log = logging.getLogger("adjudge")
EVEN = 0.5
"""An evaluation's number for a sample whose comparisons with its anchors nobody could read: neither won nor lost."""
UNDECIDED = "adjudge_undecided"
"""In a sample's metadata, why it has no number of its own."""
METRICS = "adjudge_metrics"
"""In a sample's metadata, its share of what the judge took, in numbers."""
NORMALISED = ("grpo", "gspo", "cispo", "reinforce_plus_plus_baseline")
"""Estimators whose rewards slime centres within their group."""
SPREAD = NORMALISED[:3]
"""Those whose rewards it divides by the group's spread too."""
OF_GROUP = ("adjudge_tokens", "adjudge_seconds")
"""Metrics that are told of a group; the others are means of samples."""
LOOK_SECONDS = 0.5


async def group_reward(args: Any, samples: Sequence[Any], **more: Any) -> list[Any]:
    """A number for each sample of a group, for ``--group-rm``."""
    if any(isinstance(one, list) for one in samples):
        raise ConfigError(
            "slime's --group-rm cannot take a generate function that makes several samples of one.\n"
            "  Remedy: leave --group-rm out, and give adjudge_rewards.slime.reward."
        )
    here, group = _Here(args), object()
    names = [(group, str(_question(one))) for one in samples]
    there = [place for place, one in enumerate(samples) if one.status.value != "aborted"]
    sizes = Counter(names[place] for place in there)
    found = await asyncio.gather(*(here.ask(samples[place], names[place], sizes[names[place]]) for place in there))
    rewards = [SampleReward(None, reason="slime gave it up before it was complete")] * len(samples)
    for place, one in zip(there, found, strict=True):
        rewards[place] = replace(one, value=None) if one.reason else one
    return [_told(args, *each) for each in zip(samples, rewards, decided(rewards, names, "mean"), strict=True)]


async def reward(args: Any, sample: Any, **more: Any) -> Any:
    """A number for one sample, once its group is there; of several samples that one generation made, for each the same."""
    parts = sample if isinstance(sample, list) else [sample]
    last, here = parts[-1], _Here(args)
    made: tuple[SampleReward, float | None] | None
    if last.group_index is None:
        made = await here.evaluated(last)
    elif args.partial_rollout:
        raise ConfigError("with --partial-rollout a group is finished in several rollouts.\n  Remedy: use --group-rm and group_reward.")
    else:
        found = await _unless_aborted(here.ask(last, last.group_index, args.n_samples_per_prompt))
        made = None if found is None else (found, found.value)
    told = [None if made is None else _told(args, one, *made) for one in parts]
    return told if isinstance(sample, list) else told[0]


def post_process(args: Any, samples: Sequence[Any]) -> tuple[list[float], list[float]]:
    """The rewards as they are, and as slime normalises them: each group by itself, over those of its samples that are decided."""
    values = [None if one.reward is None else float(one.get_reward_value(args)) for one in samples]
    known = [SampleReward(None if _undecided(one) else value) for one, value in zip(samples, values, strict=True)]
    names = [str(_question(one)) if one.group_index is None else one.group_index for one in samples]
    raw = [value for value in decided(known, names, "mean") if value is not None]  # which is all of them
    open_ones = sum(one.value is None for one in known)
    log.info("adjudge: %d of %d samples of this rollout are undecided (%.1f%%)", open_ones, len(raw), 100 * open_ones / max(1, len(raw)))
    if args.advantage_estimator not in NORMALISED or not args.rewards_normalization:
        return raw, raw
    spread = args.advantage_estimator in SPREAD and args.grpo_std_normalization
    groups: dict[Hashable, list[float]] = {}
    for name, one in zip(names, known, strict=True):
        groups.setdefault(name, []).extend([] if one.value is None else [one.value])
    return raw, [_normalised(one.value, groups[name], spread) for name, one in zip(names, known, strict=True)]


def log_rollout(rollout_id: int, args: Any, samples: Sequence[Any], extra: Any, seconds: float) -> bool:
    """Log the judge's tokens and seconds of a group, and more, where slime logs its rollout, which it does after this."""
    _log(args, rollout_id, samples, "rollout", "rollout/")
    return False


def log_eval_rollout(rollout_id: int, args: Any, data: dict[str, dict[str, Any]], extra: Any) -> bool:
    """The same for each data set of an evaluation, in which every sample is a group."""
    for name, one in data.items():
        _log(args, rollout_id, one.get("samples") or (), "eval", f"eval/{name}/")
    return False


def _log(args: Any, rollout_id: int, samples: Sequence[Any], step: str, prefix: str) -> None:
    by_generation = {(one.group_index, one.index): one for one in samples if METRICS in _metadata(one)}
    known = [(one.group_index, _metadata(one)[METRICS]) for one in by_generation.values()]
    if not known:
        return
    from slime.observability.logging_utils import log as write
    from slime.observability.metric_utils import compute_rollout_step

    groups = len({object() if group is None else group for group, _ in known})
    totals = {name: sum(metrics[name] for _, metrics in known) for name in known[0][1]}
    found = {prefix + name: total / (groups if name in OF_GROUP else len(known)) for name, total in totals.items()}
    log.info("adjudge: %s", ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
    write(args, {**found, f"{step}/step": compute_rollout_step(args, rollout_id)}, step_key=f"{step}/step")


def _normalised(value: float | None, group: Sequence[float], spread: bool) -> float:
    """An undecided one is at its group's mean, and so is one alone."""
    if value is None or len(group) < 2:
        return 0.0
    return (value - statistics.fmean(group)) / (statistics.stdev(group) + 1e-6 if spread else 1)


class _Here:
    """The reward that slime's arguments or the environment name, and the meeting place in this event loop."""

    def __init__(self, args: Any) -> None:
        file = getattr(args, "adjudge_reward", None) or os.environ.get("ADJUDGE_REWARD")
        if not file:
            raise ConfigError(
                "no reward is named.\n  Remedy: write adjudge_reward: /path/reward.yaml into the file of --custom-config-path, "
                "or set ADJUDGE_REWARD."
            )
        seconds = float(getattr(args, "adjudge_collect_seconds", None) or 1800)
        self.reward, self.cohorts = reward_of(file), cohorts_of(file, undecided="mean", collect_seconds=seconds)

    async def ask(self, sample: Any, group: Hashable, size: int) -> SampleReward:
        text = CLOSING_MARKS.sub("", sample.response)  # slime leaves the special tokens in
        return await self.cohorts.ask(_question(sample), text, group=group, size=size, anchors=self._anchors(sample))

    async def evaluated(self, sample: Any) -> tuple[SampleReward, float]:
        if not self._anchors(sample):
            raise ConfigError(
                "in an evaluation samples have no group, and this one has no reference answer to be compared with.\n"
                "  Remedy: set anchor: label in the reward's file and --label-key, or name another custom_rm_path in --eval-config."
            )
        found = await self.ask(sample, object(), 1)
        return found, EVEN if found.absolute is None else found.absolute

    def _anchors(self, sample: Any) -> list[Any]:
        """The reference answers: ``label``, or what the metadata have under the name that the reward's file says."""
        return self.reward.anchors_in({"label": sample.label, **_metadata(sample)})


def _question(sample: Any) -> Any:
    """What the judge is shown as the question: ``prompt`` of the metadata, else the prompt, with the marks of a chat's template."""
    return _metadata(sample).get("prompt") or sample.prompt


def _metadata(sample: Any) -> dict[str, Any]:
    if sample.metadata is None:
        sample.metadata = {}
    return sample.metadata if isinstance(sample.metadata, dict) else {}


def _undecided(sample: Any) -> bool:
    return sample.reward is None or UNDECIDED in _metadata(sample)


def _told(args: Any, sample: Any, found: SampleReward, value: float | None) -> Any:
    """The number as slime wants it, which is under a name where ``--reward-key`` says one; an undecided sample is marked and told."""
    assert value is not None
    _metadata(sample).pop(UNDECIDED, None)
    _metadata(sample)[METRICS] = found.metrics
    if found.reason:
        log.warning("adjudge: a sample is undecided: %s", found.reason)
        _metadata(sample)[UNDECIDED] = found.reason
    key = getattr(args, "reward_key", None)
    if sample.group_index is None:
        key = getattr(args, "eval_reward_key", None) or key
    return {key: float(value)} if key else float(value)


async def _unless_aborted(asked: Coroutine[Any, Any, SampleReward]) -> SampleReward | None:
    """What is asked for; None once slime gives the rollout up, which waits for every sample that is under way, and drops it."""
    task = asyncio.ensure_future(asked)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
            if not task.done() and _aborted():
                return None
        return task.result()
    finally:
        task.cancel()


def _aborted() -> bool:
    rollout = sys.modules.get("slime.rollout.sglang_rollout")
    state = None if rollout is None else rollout.SingletonMeta._instances.get(rollout.GenerateState)
    return bool(state is not None and state.aborted)
