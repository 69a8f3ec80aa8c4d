"""ms-swift: a reward for ``--reward_funcs`` of GRPO, named in a file for ``--external_plugins`` (tested with ms-swift 4.6.0).

ms-swift calls it on every process with that process's part of the batch: the parts are put together, one process judges, each gets what is
its own. It counts None and NaN as 0 in a group's mean, where one may be the best of its group: an undecided completion gets the mean of its
group, and is counted in the log. `SwiftMetrics`, a callback, logs what the judge took as ms-swift logs numbers of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .config import open_reward, read_reward
from .framework import tested_with
from .group_reward import GroupReward
from .ranks import from_main, gathered, rank
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("swift", ">=4.6,<4.7", "pip install ms-swift==4.6.0 msgspec")

from swift.callbacks.base import TrainerCallback
from swift.rewards import ORM
from swift.utils import get_logger

log = get_logger()
EXACT = 1024
"""Rewards are multiples of one in so many. Sums and means of such numbers are exact in 32 bits, so that equal rewards have no spread:
``scale_rewards=gdpo`` divides by it, and by rounding alone would push a group of draws far up or down."""
_trainers: list[Any] = []
"""Those whose logs have the judge's numbers."""


class SwiftMetrics(TrainerCallback):  # type: ignore[misc]
    """``callbacks_map["adjudge_metrics"] = SwiftMetrics`` and ``--callbacks adjudge_metrics``: the trainer logs the judge's numbers."""

    def __init__(self, args: Any, trainer: Any) -> None:
        super().__init__(args, trainer)
        _trainers.append(trainer)


class SwiftReward(ORM):  # type: ignore[misc]
    """``orms["adjudge"] = partial(SwiftReward, "reward.yaml")``."""

    def __init__(self, file: str | FilePath, args: Any = None, **more: Any) -> None:
        super().__init__(args, **more)
        self.file = FilePath(file).absolute()
        self.anchor = read_reward(self.file).anchor  # mistakes are told now, and the model is loaded with the first batch
        self._open = ExitStack()
        self._reward: GroupReward | None = None

    def __call__(self, completions: Sequence[str], **columns: Any) -> list[float]:
        """A reward for every completion of this process, in order. The group is ms-swift's `prompt_id`, which all processes agree on."""
        anchors = columns.get(self.anchor) if self.anchor else [None] * len(completions)
        if anchors is None:
            known = ", ".join(sorted(columns))
            raise ConfigError(
                f"anchor: the rows have no column {self.anchor!r} (they have: {known}).\n  Remedy: name the column that is there."
            )
        rows = zip(columns["prompt_id"], columns["messages"], completions, anchors, strict=True)
        parts = gathered([(group, messages[:-1], text, anchor) for group, messages, text, anchor in rows])
        values: list[float] = from_main(lambda: self._judged([row for part in parts for row in part]))
        start = sum(len(part) for part in parts[: rank()])
        return values[start : start + len(completions)]

    def _judged(self, rows: Sequence[tuple[str, list[dict[str, Any]], str, Any]]) -> list[float]:
        if self._reward is None:
            self._reward = self._open.enter_context(open_reward(self.file))
        groups = [group for group, _, _, _ in rows]
        asked: dict[str, Sequence[Mapping[str, Any]]] = {}
        for group, messages, _, _ in rows:
            asked[group] = _shared(asked[group], messages) if group in asked else messages
        prompts, texts = [asked[group] for group in groups], [text for _, _, text, _ in rows]
        found = self._reward.judged(prompts, texts, groups=groups, anchors=[anchor for _, _, _, anchor in rows])
        log.info("adjudge: %s", ", ".join(f"{name} {value:.4g}" for name, value in self._reward.metrics.items()))
        for trainer in _trainers:
            _log(trainer, self._reward.metrics)
        reasons = [one.reason for one in found if one.value is None]
        if reasons:
            log.warning("adjudge: %d of %d completions are undecided and get their group's mean: %s", len(reasons), len(rows), reasons[0])
        return [round((value or 0.0) * EXACT) / EXACT for value in decided(found, groups, "mean")]


def _log(trainer: Any, metrics: Mapping[str, float]) -> None:
    """Add to the means that ms-swift takes over a logging step and over all processes, of which this one has the only numbers."""
    means = trainer.custom_metrics["train" if trainer.model.training else "eval"]
    for name, value in metrics.items():
        means[f"adjudge/{name}"].nan_value = None  # of a step in which nobody was judged nothing is logged, and no 0
        means[f"adjudge/{name}"].update(value)


def _shared(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The messages with which both begin: what was asked, where completions of several turns went on in ways of their own."""
    same = next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))
    return one[:same]
