"""What `token_logprobs` keeps of a row of logits: four numbers per token, from which log-probability and entropy follow.

All backends make these, vocabulary shards are joined through them, and gradients flow back through them. The largest logit is only
a point of reference: what follows from the numbers does not depend on it, so it carries no gradient.
Shapes: T tokens, S shards of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

FLOOR = -1e30
"""Below every logit, yet finite: a row whose first columns are all banned (-inf) must not make inf - inf."""


TIE = 2.0**-16
"""Margin of a near-tie, relative to the target's logit where that is above 1: 1.5e-5 nats, and 3e-4 at a logit of 20."""


@dataclass(frozen=True, slots=True)
class Transform:
    """From a raw product y = hidden · head + bias to the logit z = cap(y · logit_scale) / temperature."""

    temperature: float = 1.0
    logit_scale: float = 1.0
    softcap: float | None = None
    """cap(x) = softcap · tanh(x / softcap); None = no cap."""

    def apply(self, product: Tensor) -> Tensor:
        """As new numbers; differentiable."""
        logit = product * self.logit_scale
        return (logit if self.softcap is None else self.softcap * torch.tanh(logit / self.softcap)) / self.temperature

    def apply_(self, product_TC: Tensor) -> Tensor:
        """In place."""
        if self.logit_scale != 1:
            product_TC.mul_(self.logit_scale)
        if self.softcap is not None:
            product_TC.div_(self.softcap).tanh_().mul_(self.softcap)
        return product_TC if self.temperature == 1 else product_TC.div_(self.temperature)

    def chain_(self, gradient_TC: Tensor, logit_TC: Tensor) -> Tensor:
        """From the gradient by the logit to the gradient by the product, in place."""
        if self.softcap is not None:
            tanh_TC = logit_TC * (self.temperature / self.softcap)
            gradient_TC.mul_(1 - tanh_TC.square_())
        return gradient_TC.mul_(self.logit_scale / self.temperature)


@dataclass(frozen=True, slots=True)
class More:
    """What `token_statistics` keeps beside the four numbers, while columns are still coming; each of shape (T,), updated in place."""

    threshold_T: Tensor
    """The logit above which a token stands above the target; see `threshold`."""
    square_T: Tensor
    """Σ exp(z - max)²."""
    total_T: Tensor
    """Σ z."""
    above_T: Tensor
    """How many tokens stand above the target, as floating-point numbers."""

    @classmethod
    def start(cls, threshold_T: Tensor) -> More:
        return cls(threshold_T, *(torch.zeros_like(threshold_T) for _ in range(3)))

    def rows(self, start: int, stop: int) -> More:
        """A view of some tokens."""
        return More(*(getattr(self, name)[start:stop] for name in ("threshold_T", "square_T", "total_T", "above_T")))


def threshold(target_logit_T: Tensor) -> Tensor:
    """What a logit has to exceed to stand above the target: the target's own by a margin far above rounding and far below meaning."""
    return target_logit_T + TIE * target_logit_T.abs().clamp(1, -FLOOR)


@dataclass(frozen=True, slots=True)
class Running:
    """The statistics while columns of logits are still coming; each of shape (T,), updated in place."""

    max_T: Tensor
    sum_T: Tensor
    """Σ exp(z - max)."""
    weighted_T: Tensor
    """Σ exp(z - max) · (z - max); left at 0 when no entropy is asked for."""
    target_T: Tensor
    """Logit of the target, once its column has come; 0 before."""
    more: More | None = None

    @classmethod
    def start(cls, tokens: int, like: Tensor, more: More | None = None) -> Running:
        """Before the first column, on the device of `like`; float64 for float64 and else fp32."""
        dtype = torch.promote_types(like.dtype, torch.float32)
        total_T, weighted_T, target_T = (torch.zeros(tokens, dtype=dtype, device=like.device) for _ in range(3))
        return cls(torch.full((tokens,), FLOOR, dtype=dtype, device=like.device), total_T, weighted_T, target_T, more)

    def rows(self, start: int, stop: int) -> Running:
        """A view of some tokens."""
        tokens = slice(start, stop)
        more = None if self.more is None else self.more.rows(start, stop)
        return Running(self.max_T[tokens], self.sum_T[tokens], self.weighted_T[tokens], self.target_T[tokens], more)

    def finish(self) -> Stats:
        """The statistics of the columns that came; of none: a log-sum of -inf."""
        mean_T = torch.where(self.sum_T == 0, 0.0, self.weighted_T / self.sum_T)
        return Stats(self.max_T, self.sum_T.log(), mean_T, self.target_T)


class Stats(NamedTuple):
    """Of each token's logits z, in nats and of shape (T,); over the whole vocabulary or over one shard of it."""

    max_T: Tensor
    log_sum_T: Tensor
    """log Σ exp(z - max)."""
    mean_T: Tensor
    """Mean of z - max under the softmax; 0 when no entropy was asked for."""
    target_T: Tensor
    """The target's logit; 0 where the target lies outside this shard."""

    def rows(self, start: int, stop: int) -> Stats:
        """A view of some tokens."""
        return Stats(*(value[start:stop] for value in self))

    @property
    def logprob_T(self) -> Tensor:
        """Log-probability of the target; of a single shard it means nothing."""
        return (self.target_T - self.max_T) - self.log_sum_T

    @property
    def entropy_T(self) -> Tensor:
        """Entropy of the softmax, at least 0."""
        return (self.log_sum_T - self.mean_T).clamp(min=0)


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Of each target under the softmax of its logits, in nats and fp32; 0 where the target is ignored.

    Gradients flow through the log-probabilities of targets and ids, through the entropy and through log Z.
    """

    logprob_T: Tensor
    entropy_T: Tensor
    log_z_T: Tensor
    """log Σ exp(z), the normaliser of all log-probabilities here."""
    mean_logit_T: Tensor
    """Mean of the logits over the vocabulary, each token counting alike."""
    p_squared_T: Tensor
    """Σ p²: the chance that two draws agree."""
    rank_T: Tensor
    """1 + how many tokens have a logit above the target's by more than 2⁻¹⁶ · max(1, its size); 0 where logits are no numbers."""
    top_id_TK: Tensor
    """Ids of the `top` most probable tokens, the most probable first; of equal ones the lower id first."""
    top_logprob_TK: Tensor
    id_logprob_TK: Tensor | None = None
    """Log-probabilities of the `ids` that were asked for."""


class Every(NamedTuple):
    """What `token_statistics` tells beside what follows from `Stats`; none of it carries a gradient."""

    square_T: Tensor
    """Σ p²."""
    mean_logit_T: Tensor
    above_T: Tensor
    """How many tokens stand above the target, as integers."""
    top_logit_TK: Tensor
    top_id_TK: Tensor


def combine_shards(shards: Sequence[Stats]) -> Stats:
    """Statistics over the whole vocabulary from those of its shards (tensor parallelism), whose targets must lie in one of them.

    Differentiable. Across processes, gather the four numbers per token of every rank first; nothing larger needs to move.
    """
    max_ST, log_sum_ST, mean_ST, target_ST = (torch.stack(values) for values in zip(*shards, strict=True))
    max_T = max_ST.amax(0).detach()
    below_ST = max_ST.detach() - max_T
    log_share_ST = log_sum_ST + below_ST
    log_sum_T = log_share_ST.logsumexp(0)
    mean_T = ((log_share_ST - log_sum_T).exp() * (mean_ST + below_ST)).sum(0)
    return Stats(max_T, log_sum_T, mean_T, target_ST.sum(0))
