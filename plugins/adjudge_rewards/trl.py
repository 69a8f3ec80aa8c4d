"""TRL: a reward function for GRPO, RLOO and their kin, AsyncGRPO and OnlineDPO (tested with trl 1.16.0).

TRL calls a reward function on every process with that process's part of the batch, which may be a part of a group. So all processes put
their parts together, one judges, and each gets its own rewards back; only that one opens the judge. OnlineDPO hands over all first answers
and then all second ones, so a group is what has the same prompt, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, Plugins

from .config import RewardConfig, open_reward, read_reward, whole
from .conversations import Said, prompt_text
from .framework import tested_with
from .group_reward import GroupReward
from .ranks import from_main, gathered, rank
from .undecided import Undecided, decided


class TrlReward:
    """One of a trainer's ``reward_funcs``: ``TrlReward("reward.yaml")``.

    `undecided` is what TRL is told of a completion that nobody could judge. None is masked, out of the baseline, by GRPO, RLOO and
    AsyncGRPO. OnlineDPO takes None for 0: give it ``undecided="mean"``, and so where several reward functions are added up.
    """

    __name__ = "adjudge"
    """What TRL calls the metrics of this reward."""

    def __init__(
        self,
        reward: str | FilePath | dict[str, Any] | RewardConfig | GroupReward,
        *,
        undecided: Undecided = "none",
        anchor: str | None = None,
    ) -> None:
        tested_with("trl", ">=1.16,<1.17", "pip install 'adjudge[train]'")
        self.undecided = undecided
        self.anchor = anchor
        self._open = ExitStack()
        self._reward: GroupReward | None = None
        self._config: RewardConfig | None = None
        if isinstance(reward, GroupReward):
            self._reward = reward
        else:  # mistakes are told now, and the model is loaded with the first batch
            plugins = Plugins.load()
            self._config = read_reward(reward) if isinstance(reward, str | FilePath) else whole(reward, "the reward", plugins)
            self.anchor = anchor or self._config.anchor

    def __call__(
        self,
        prompts: Sequence[Said],
        completions: Sequence[Said],
        completion_ids: Any = None,
        *,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """A reward for every completion of this process, in order."""
        anchors = columns.get(self.anchor) if self.anchor else None
        if self.anchor and anchors is None:
            known = ", ".join(sorted(columns)) or "none"
            raise ConfigError(
                f"anchor: the rows have no column {self.anchor!r} (they have: {known}).\n  Remedy: name the column that is there."
            )
        parts = gathered((list(prompts), list(completions), None if anchors is None else list(anchors)))
        values, metrics = from_main(lambda: self._judged(parts))
        for name, value in metrics.items():
            if log_metric is not None:
                log_metric(f"adjudge/{name}", value)
        start = sum(len(part[0]) for part in parts[: rank()])
        return list(values[start : start + len(prompts)])

    def close(self) -> None:
        """Let go of the judge's model; the next call opens it again."""
        self._open.close()
        if self._config is not None:
            self._reward = None

    def _judged(self, parts: Sequence[tuple[list[Said], list[Said], list[Any] | None]]) -> tuple[list[float | None], dict[str, float]]:
        if self._reward is None:
            assert self._config is not None
            self._reward = self._open.enter_context(open_reward(self._config))
        prompts = [prompt for part in parts for prompt in part[0]]
        completions = [completion for part in parts for completion in part[1]]
        anchors = None if parts[0][2] is None else [anchor for part in parts for anchor in part[2] or ()]
        groups = [prompt_text(prompt, f"prompt {number}") for number, prompt in enumerate(prompts, 1)]
        rewards = self._reward.judged(prompts, completions, groups=groups, anchors=anchors)
        return decided(rewards, groups, self.undecided), dict(self._reward.metrics)
