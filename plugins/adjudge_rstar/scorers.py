"""The path scorers: R⋆, its factors, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import PathScorer, Problem, ReasoningPath, Score, Session, stable_seed

from . import formulas


class RStar(PathScorer):
    """R⋆ as ReasonGRM defines it: mean probability of the reasoning tokens times mean probability of the answer tokens."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["rstar"] = "rstar"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.rstar(path) for path in paths]


class GeometricRStar(PathScorer):
    """R⋆ with geometric means of probabilities, in (0, 1]: exp(mean log p) · exp(mean log q), so that one improbable token counts."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["geometric-rstar"] = "geometric-rstar"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.geometric_rstar(path) for path in paths]


class MeanLogprob(PathScorer):
    """Mean log-probability of reasoning and answer tokens, in nats per token: the logarithm of their geometric mean probability."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["mean-logprob"] = "mean-logprob"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.mean_logprob(path) for path in paths]


class Likelihood(PathScorer):
    """Sum of the log-probabilities of reasoning and answer tokens, in nats: how likely the path is as a whole."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["likelihood"] = "likelihood"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.likelihood(path) for path in paths]


class Validity(PathScorer):
    """The second factor of R⋆ alone: mean probability of the answer tokens given question and path."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["validity"] = "validity"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.part(path, "validity") for path in paths]


class SelfConsistency(PathScorer):
    """The first factor of R⋆ alone: mean probability of the reasoning tokens."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["self-consistency"] = "self-consistency"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.part(path, "self_consistency") for path in paths]


class Shortest(PathScorer):
    """Fewest tokens first; no score where the engine returned a text without tokens."""

    use: Literal["shortest"] = "shortest"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.length(path, -1) for path in paths]


class Longest(PathScorer):
    """Most tokens first: Think-RM's choice; no score where the engine returned a text without tokens."""

    use: Literal["longest"] = "longest"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [formulas.length(path, 1) for path in paths]


class Random(PathScorer):
    """By chance, seeded: the paper's own comparison."""

    use: Literal["random"] = "random"
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed is another chance."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [Score(path.id, stable_seed("random", self.seed, path.id) / 2**63) for path in paths]
