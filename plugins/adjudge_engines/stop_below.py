"""Ends judgements early in which a model is less sure than in others of the same prompt (DeepConf, 2508.15260); off unless asked for.

A token's confidence is the mean of -log p over the likeliest tokens at its place, in nats: high where one token stands out. A judgement
ends once the mean over a window falls below a threshold, which its prompt's first judgements set; they are sampled whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from adjudge import Completion, Options

if TYPE_CHECKING:
    from .continuous import Row

ROUNDING = 1e-3
"""Nats by which equal confidences may differ, so that a judgement like one of the first goes on in any batch."""


class StopBelow(Options):
    """Judgements end early, as *truncated*, where the model is less sure than in the first judgements of the same prompt (DeepConf)."""

    keep: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of the first judgements that the threshold would let go on; 0.9 and 0.1 are DeepConf's *high* and *low*."""
    warm_up: Annotated[int, Field(gt=0)] = 16
    """Judgements of a prompt that are sampled whole and set the threshold; a prompt with no more than these ends none early."""
    window: Annotated[int, Field(gt=0)] = 2048
    """Tokens over which confidence is averaged; a judgement that is shorter does not end early."""
    top: Annotated[int, Field(gt=1)] = 20
    """Likeliest tokens of which a token's confidence is made."""


@dataclass(frozen=True, slots=True)
class StoppedEarly(Completion):
    """A completion that was ended in the middle, and why; records and caches of completions keep the reason."""

    reason: str = ""

    @property
    def told(self) -> dict[str, str]:
        """What its verdict tells besides, so that a path which is read back from its record has the reason too."""
        return {"reason": self.reason}


class Confidence:
    """A row's confidence over its last tokens, and the lowest that it was so far."""

    def __init__(self, window: int) -> None:
        self.last = deque[float](maxlen=window)
        self.sum = 0.0
        self.lowest: float | None = None

    def add(self, value: float) -> None:
        """Take one token more."""
        full = len(self.last) == self.last.maxlen
        self.sum += value - (self.last[0] if full else 0.0)
        self.last.append(value)
        if (mean := self.mean) is not None:
            self.lowest = mean if self.lowest is None else min(self.lowest, mean)

    @property
    def mean(self) -> float | None:
        """The mean over the window; None before it is full."""
        return self.sum / len(self.last) if len(self.last) == self.last.maxlen else None


class Calibration:
    """The thresholds of the prompts of one call."""

    def __init__(self, options: StopBelow) -> None:
        self.options = options
        self.lowest = defaultdict[tuple[int, ...], list[float]](list)

    def parts(self, prompts: Sequence[Sequence[int]], order: Sequence[int]) -> tuple[list[int], list[int]]:
        """The first samples of every prompt, and the others."""
        seen = Counter[tuple[int, ...]]()
        first = set[int]()
        for index in sorted(order):
            seen[tuple(prompts[index])] += 1
            first |= {index} if seen[tuple(prompts[index])] <= self.options.warm_up else set()
        return [one for one in order if one in first], [one for one in order if one not in first]

    def watch(self, row: Row, *, first: bool) -> Row:
        """The row, with its confidence kept and, unless it is one of the first, a threshold where these have set one."""
        import numpy as np

        row.confidence = Confidence(self.options.window)
        if not first and self.lowest[row.prompt]:
            row.least = float(np.quantile(self.lowest[row.prompt], 1 - self.options.keep)) - ROUNDING
        return row

    def learn(self, row: Row) -> None:
        """Take the lowest confidence of one of the first rows."""
        if row.confidence is not None and row.confidence.lowest is not None:
            self.lowest[row.prompt].append(row.confidence.lowest)


def told_early(completion: Completion, row: Row) -> Completion:
    """The completion of a row, with the reason where it was ended early."""
    if not row.hopeless or row.confidence is None:
        return completion
    told = {name: getattr(completion, name) for name in Completion.__dataclass_fields__}
    mean, window = row.confidence.mean, row.confidence.last.maxlen
    return StoppedEarly(**told, reason=f"stop_below: confidence {mean:.3f} over {window} tokens, below {row.least:.3f}")
