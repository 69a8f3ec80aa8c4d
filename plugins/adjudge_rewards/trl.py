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

from adjudge import ConfigError, JobError, Plugins

from .config import RewardConfig, open_reward, read_reward, whole
from .conversations import Said, prompt_text
from .framework import tested_with
from .group_reward import GroupReward
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
        parts = _gathered((list(prompts), list(completions), None if anchors is None else list(anchors)))
        values, metrics = _from_main(lambda: self._judged(parts))
        for name, value in metrics.items():
            if log_metric is not None:
                log_metric(f"adjudge/{name}", value)
        start = sum(len(part[0]) for part in parts[: _rank()])
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


def _together() -> bool:
    import torch.distributed

    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return bool(ready and torch.distributed.get_world_size() > 1)


def _rank() -> int:
    import torch.distributed

    return torch.distributed.get_rank() if _together() else 0


def _gathered(own: Any) -> list[Any]:
    """Every process's value, in the order of their ranks."""
    import torch.distributed

    if not _together():
        return [own]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, own)
    return found


def _from_main(make: Callable[[], Any]) -> Any:
    """What the main process makes, in every process; what goes wrong there ends all of them."""
    import torch.distributed

    if not _together():
        return make()
    found: list[Any] = [None, None]
    if _rank() == 0:
        try:
            found[0] = make()
        except Exception as error:
            torch.distributed.broadcast_object_list([None, str(error)], src=0)  # or the others would wait for it for ever
            raise
    torch.distributed.broadcast_object_list(found, src=0)
    if found[1] is not None:
        raise JobError(f"the main process could not judge: {found[1]}")
    return found[0]
