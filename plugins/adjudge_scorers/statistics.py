"""Scores from statistics of every token, taken in one pass over the finished path: entropy, ranks, the normaliser, the top of the list.

They are read of the tokens that reason and of those that state the verdict; the engine has to tell them (`Engine.statistics`). In the
formulas: p over a vocabulary of V tokens, H its entropy, z its logits, Z = Σ exp z; L tokens. Higher is better everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import PathScorer, Problem, ReasoningPath, Score, Session

from .windows import lowest, mean, statistic, tokens_that_count, window_means

MOST_RANK = 100
"""A rank above this counts as this, as in the authors' code."""


class SelfCertainty(PathScorer):
    """Self-certainty (2502.18581): mean over tokens of KL(uniform ‖ p) = log Z − mean z − log V; at least 0, in nats.

    It says how far the model was from choosing at random, and looks at no sampled token. `vocabulary` is V; without it log V is not taken
    off, which moves every score of a model by the same. No label is needed."""

    needs: ClassVar[str] = "log_z and mean_logit of every token"
    statistics: ClassVar[frozenset[str]] = frozenset({"log_z", "mean_logit"})
    use: Literal["self-certainty"] = "self-certainty"
    vocabulary: Annotated[int, Field(gt=0)] | None = None
    """V, logits of the model; None = log V is left in."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        log_z, mean_logit = statistic(path, "log_z"), statistic(path, "mean_logit")
        if not log_z or not mean_logit:
            return Score(path.id, None)
        constant = 0.0 if self.vocabulary is None else math.log(self.vocabulary)
        return Score(path.id, mean([one - other for one, other in zip(log_z, mean_logit, strict=True)]) - constant)


class DeepConf(PathScorer):
    """DeepConf (2508.15260): confidence C = −mean log p of the 20 most probable tokens, over a path, its end, or its worst windows.

    C is high where a few tokens take all the probability, since the others of the twenty are then improbable; at least log 20 where V is at
    least 20, in nats. `mean`: of all C. `tail`: of the last `window`. `lowest`: the least mean of a window. `bottom`: mean of the lowest
    tenth of the windows. The paper's window is 2,048 tokens of mathematics; a judgement is shorter. No label is needed."""

    needs: ClassVar[str] = "top20_logprob of every token"
    statistics: ClassVar[frozenset[str]] = frozenset({"top20_logprob"})
    use: Literal["deepconf"] = "deepconf"
    over: Literal["mean", "tail", "bottom", "lowest"] = "mean"
    """Which part of the path speaks for it."""
    window: Annotated[int, Field(gt=0)] = 128
    """Tokens of a window, and of the tail."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        told = statistic(path, "top20_logprob")
        if told is None:
            return Score(path.id, None)
        confidence = [-value for value in told]
        return Score(path.id, self._part(confidence), {"mean": mean(confidence)})

    def _part(self, confidence: Sequence[float]) -> float:
        if self.over == "mean":
            return mean(confidence)
        if self.over == "tail":
            return mean(confidence[-self.window :])
        return lowest(window_means(confidence, self.window), 0.1 if self.over == "bottom" else 0.0)


class Entropy(PathScorer):
    """−mean H: how sure the model was of each next token; at most 0, in nats. `top: 0.2` looks at the fifth with the highest entropy alone.

    The tokens of high entropy are those where a path forks (2506.01939). No label is needed."""

    needs: ClassVar[str] = "entropy of every token"
    statistics: ClassVar[frozenset[str]] = frozenset({"entropy"})
    use: Literal["entropy"] = "entropy"
    top: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the tokens, those of the highest entropy, that are looked at; at least one."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        told = statistic(path, "entropy")
        if told is None:
            return Score(path.id, None)
        return Score(path.id, lowest([-value for value in told], self.top), {"mean_entropy": mean(told)})


class RankSurprisal(PathScorer):
    """Rank-surprisal ratio (2601.14249): Σ min(rank, 100) / Σ −log p, where lower is better; the score is its negative, so at most 0.

    Low: the tokens surprise the model that is to learn from them, and are yet near the top of its list, so that there is something to learn
    and it can be learnt. rank = 1 + the number of tokens with a higher logit. Scored by the model that samples, which is the one
    that is fine-tuned unless `start: base`. Over a set it is mean rank / mean surprisal, never a mean of ratios: `ratio_over`. A path of
    which every token was certain has no ratio. No label is needed."""

    needs: ClassVar[str] = "rank of every token"
    statistics: ClassVar[frozenset[str]] = frozenset({"rank"})
    use: Literal["rank-surprisal"] = "rank-surprisal"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        ranks, logprobs = statistic(path, "rank"), path.completion.logprobs
        if not ranks or logprobs is None:
            return Score(path.id, None)
        rank = mean([min(value, MOST_RANK) for value in ranks])
        surprisal = -mean([logprobs[place] for place in tokens_that_count(path)])
        parts = {"mean_rank": rank, "mean_surprisal": surprisal, "tokens": float(len(ranks))}
        return Score(path.id, -rank / surprisal if surprisal > 0 else None, parts)


def ratio_over(scores: Iterable[Score]) -> float | None:
    """The rank-surprisal ratio of a set of paths, from their scores by `rank-surprisal`: mean rank / mean surprisal over all their
    tokens."""
    parts = [score.parts for score in scores if "mean_rank" in score.parts]
    rank = math.fsum(part["mean_rank"] * part["tokens"] for part in parts)
    surprisal = math.fsum(part["mean_surprisal"] * part["tokens"] for part in parts)
    return rank / surprisal if surprisal > 0 else None
