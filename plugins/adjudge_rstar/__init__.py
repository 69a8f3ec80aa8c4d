"""R⋆, ReasonGRM's path score, the scores it is compared with, and `token_logprobs`, which turns hidden states into log-probabilities.

The paper: R⋆ of a path is the mean probability of its reasoning tokens times the mean probability of its answer tokens, given
question and path (2506.16712; both means are arithmetic means of probabilities). It ranks only paths
that reached the right answer, and the best one is kept. What the paper leaves open, and what is done here: probabilities are
taken at temperature 1, by the model that generated the path; which tokens are reasoning and which are answer is said by the
judge's spans, and a token belongs to the span that holds its last character; a token that writes nothing (end of turn) belongs
to neither; a path without reasoning or without answer tokens has no R⋆.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, overload

from pydantic import Field

from adjudge import Path, PathScorer, Problem, Score, Session, hookimpl, stable_seed

from . import score as formulas
from .head import Head

if TYPE_CHECKING:
    from torch import Tensor

    from .backends import Backend
    from .statistics import Stats

__all__ = ["Head", "combine_shards", "shard_statistics", "token_logprobs"]


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


class RStar(PathScorer):
    """R⋆ as ReasonGRM defines it: mean probability of the reasoning tokens times mean probability of the answer tokens."""

    use: Literal["rstar"] = "rstar"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.rstar(path) for path in paths]


class MeanLogprob(PathScorer):
    """Mean log-probability of reasoning and answer tokens, in nats per token: the logarithm of their geometric mean probability."""

    use: Literal["mean-logprob"] = "mean-logprob"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.mean_logprob(path) for path in paths]


class Likelihood(PathScorer):
    """Sum of the log-probabilities of reasoning and answer tokens, in nats: how likely the path is as a whole."""

    use: Literal["likelihood"] = "likelihood"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.likelihood(path) for path in paths]


class Validity(PathScorer):
    """The second factor of R⋆ alone: mean probability of the answer tokens given question and path."""

    use: Literal["validity"] = "validity"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.part(path, "validity") for path in paths]


class SelfConsistency(PathScorer):
    """The first factor of R⋆ alone: mean probability of the reasoning tokens."""

    use: Literal["self-consistency"] = "self-consistency"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.part(path, "self_consistency") for path in paths]


class Shortest(PathScorer):
    """Fewest tokens first; no score where the engine returned a text without tokens."""

    use: Literal["shortest"] = "shortest"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.length(path, -1) for path in paths]


class Longest(PathScorer):
    """Most tokens first: Think-RM's choice; no score where the engine returned a text without tokens."""

    use: Literal["longest"] = "longest"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [formulas.length(path, 1) for path in paths]


class Random(PathScorer):
    """By chance, seeded: the paper's own comparison."""

    use: Literal["random"] = "random"
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed is another chance."""

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        return [Score(path.id, stable_seed("random", self.seed, path.id) / 2**63) for path in paths]


@hookimpl
def register_path_scorers() -> Iterable[type[PathScorer]]:
    return [RStar, MeanLogprob, Likelihood, Validity, SelfConsistency, Shortest, Longest, Random]
