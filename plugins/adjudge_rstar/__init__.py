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
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from adjudge import Path, PathScorer, Problem, Score, Session, hookimpl, stable_seed

from . import score as formulas

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["token_logprobs"]


def token_logprobs(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor, *, backend: str = "chunked") -> Tensor:
    """Log-probability in nats of each target under softmax(hidden · headᵀ); shape (T,), never all T x V logits at once.

    `backend` is ``chunked`` (fp32, any device) or ``reference`` (float64). Raises `ValueError` for shapes that do not fit.
    """
    from .backends import BACKENDS, check

    check(hidden_TD, head_VD, target_T)
    return BACKENDS[backend](hidden_TD, head_VD, target_T)


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
