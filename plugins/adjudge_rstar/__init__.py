"""R⋆, ReasonGRM's path score, the scores it is compared with, and `token_logprobs`, from hidden states to log-probabilities.

The paper: R⋆ of a path is the mean probability of its reasoning tokens times the mean probability of its answer tokens, given
question and path (2506.16712; both means are arithmetic means of probabilities). It ranks only paths
that reached the right answer, and the best one is kept. What the paper leaves open, and what is done here: probabilities are
taken at temperature 1, by the model that generated the path; which tokens are reasoning and which are answer is said by the
judge's spans, and a token belongs to the span that holds its last character; a token that writes nothing (end of turn) belongs
to neither; a path without reasoning or without answer tokens has no R⋆.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from torch import Tensor

    from adjudge import PathScorer

    from .backends import Backend
    from .checked import ScoringSession, score_paths
    from .head import Head
    from .scorers import GeometricRStar, Likelihood, Longest, MeanLogprob, Random, RStar, SelfConsistency, Shortest, Validity
    from .statistics import Stats, TokenStatistics
    from .together import ask_together, logprobs_each, windows

__all__ = [
    "GeometricRStar",
    "Head",
    "Likelihood",
    "Longest",
    "MeanLogprob",
    "RStar",
    "Random",
    "ScoringSession",
    "SelfConsistency",
    "Shortest",
    "TokenStatistics",
    "Validity",
    "ask_together",
    "combine_shards",
    "logprobs_each",
    "score_paths",
    "shard_statistics",
    "token_logprobs",
    "token_statistics",
    "windows",
]
__getattr__ = lazy_names(__name__)


@overload
def token_logprobs(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, bias_V: Tensor | None = ..., rows_T: Tensor | None = ...,
    temperature: float = ..., logit_scale: float = ..., softcap: float | None = ..., ignore_index: int = ...,
    entropy: Literal[False] = ..., backend: Backend = ..., workspace_mib: float | None = ...,
) -> Tensor: ...  # fmt: skip
@overload
def token_logprobs(
    hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, bias_V: Tensor | None = ..., rows_T: Tensor | None = ...,
    temperature: float = ..., logit_scale: float = ..., softcap: float | None = ..., ignore_index: int = ...,
    entropy: Literal[True], backend: Backend = ..., workspace_mib: float | None = ...,
) -> tuple[Tensor, Tensor]: ...  # fmt: skip
def token_logprobs(
    hidden_TD: Tensor,
    head_VD: Tensor,
    target_T: Tensor,
    *,
    bias_V: Tensor | None = None,
    rows_T: Tensor | None = None,
    temperature: float = 1.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    ignore_index: int = -100,
    entropy: bool = False,
    backend: Backend = "auto",
    workspace_mib: float | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Log-probability of each target under softmax(z), z = cap((hidden · headᵀ + bias) · logit_scale) / temperature.

    In nats, of shape (T,), fp32 (float64 by the reference and for float64 inputs); with `entropy` also the entropy of each softmax.
    All T x V logits are never held at once. Differentiable in hidden states, head and bias, through both results.

    `hidden_TD` (T, D), `head_VD` (V, D), `bias_V` (V,): fp32, fp16 or bf16 of any strides; under autocast they are cast as a linear
    layer would. `target_T` (T,): int32 or int64; a target that is `ignore_index` gives 0 and no gradient. `rows_T` (T,): the row of
    `hidden_TD` that predicts each target; None = row i predicts target i. `softcap`: cap(x) = softcap · tanh(x / softcap).
    `backend`: ``reference`` (float64, all logits), ``chunked`` (torch, any device), ``hybrid`` (a matrix product per piece, folded by a
    Triton kernel), ``fused`` (one Triton kernel, no logits; bits do not depend on the batch), ``auto``. `workspace_mib`: logits held at
    a time; None = what stays in cache. Raises `ValueError` for what does not fit, targets outside the vocabulary included.
    """
    from . import logprobs

    return logprobs.token_logprobs(
        hidden_TD, head_VD, target_T, bias_V=bias_V, rows_T=rows_T, temperature=temperature, logit_scale=logit_scale, softcap=softcap,
        ignore_index=ignore_index, entropy=entropy, backend=backend, workspace_mib=workspace_mib,
    )  # fmt: skip


def token_statistics(
    hidden_TD: Tensor,
    head_VD: Tensor,
    target_T: Tensor,
    *,
    ids: Tensor | None = None,
    top: int = 0,
    bias_V: Tensor | None = None,
    rows_T: Tensor | None = None,
    temperature: float = 1.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    ignore_index: int = -100,
    backend: Backend = "auto",
    workspace_mib: float | None = None,
) -> TokenStatistics:
    """Log-probability, entropy, log Z, mean logit, Σp² and rank of each target, in the one pass that `token_logprobs` takes.

    `ids`, of shape (K,) for all targets or (T, K) for each its own: tokens whose log-probabilities are wanted too, by the same normaliser
    and differentiable. `top`: how many of the most probable tokens are told, with their log-probabilities. Everything else is as in
    `token_logprobs`.

    A rank is 1 + the number of tokens whose logit exceeds the target's by more than 2⁻¹⁶ · max(1, |target's logit|). So tokens that tie
    with the target, or all but tie, never stand above it, whatever order a product was added up in.
    """
    from . import logprobs

    return logprobs.token_statistics(
        hidden_TD, head_VD, target_T, ids=ids, top=top, bias_V=bias_V, rows_T=rows_T, temperature=temperature, logit_scale=logit_scale,
        softcap=softcap, ignore_index=ignore_index, backend=backend, workspace_mib=workspace_mib,
    )  # fmt: skip


def shard_statistics(
    hidden_TD: Tensor,
    head_VD: Tensor,
    target_T: Tensor,
    *,
    start: int,
    bias_V: Tensor | None = None,
    temperature: float = 1.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    backend: Backend = "auto",
    workspace_mib: float | None = None,
) -> Stats:
    """Four numbers per token over one shard of the vocabulary, the tokens from `start` on; `combine_shards` joins those of all shards.

    `head_VD` and `bias_V` are the shard's; `target_T` has token ids of the whole vocabulary, which may lie in another shard. Everything
    else, gradients included, is as in `token_logprobs`.
    """
    from . import logprobs

    return logprobs.shard_statistics(
        hidden_TD, head_VD, target_T, start=start, bias_V=bias_V, temperature=temperature, logit_scale=logit_scale, softcap=softcap,
        entropy=entropy, backend=backend, workspace_mib=workspace_mib,
    )  # fmt: skip


def combine_shards(shards: Sequence[Stats]) -> Stats:
    """Statistics over the whole vocabulary, with `logprob_T` and `entropy_T`, from those of its shards; differentiable.

    Across processes, gather the four numbers per token of every rank first; nothing larger has to move. Targets must lie in a shard.
    """
    from . import statistics

    return statistics.combine_shards(shards)


@hookimpl
def register_path_scorers() -> list[type[PathScorer]]:
    from .scorers import GeometricRStar, Likelihood, Longest, MeanLogprob, Random, RStar, SelfConsistency, Shortest, Validity

    return [RStar, GeometricRStar, MeanLogprob, Likelihood, Validity, SelfConsistency, Shortest, Longest, Random]
