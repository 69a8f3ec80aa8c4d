"""Scores from the log-probabilities that every engine records with the tokens it samples.

In the formulas: log p of the L reasoning tokens, log q of the M answer tokens, in nats at temperature 1. Higher is better everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import PathScorer, Problem, ReasoningPath, RewardRule, Score, Session, boundary, number_or_none

from .windows import lowest, mean, window_means


class Picsar(PathScorer):
    """PiCSAR (2508.21787): Σ log p + Σ log q, how likely the path and its own answer are together; at most 0, in nats.

    `normalised`: (1/L) Σ log p + Σ log q, so that a long path is not the worse for its length. The paper asks for the answer anew, in
    a short prompt; here q are the path's own answer tokens, and the plain sum is that of `likelihood`. No label is needed."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["picsar"] = "picsar"
    normalised: bool = False
    """Whether the reasoning counts by its mean instead of its sum."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        reasoning, answer = path.reasoning_logprobs, path.answer_logprobs
        if not reasoning or not answer:
            return Score(path.id, None)
        parts = {"reasoning": mean(reasoning) if self.normalised else math.fsum(reasoning), "answer": math.fsum(answer)}
        return Score(path.id, parts["reasoning"] + parts["answer"], parts)


class WorstWindow(PathScorer):
    """The least likely stretch: lowest mean of log p over any `window` neighbouring reasoning tokens; at most 0, in nats per token.

    DeepConf's lowest and bottom group confidence (2508.15260) with log p in the place of its confidence, so nothing new has to be recorded:
    one bad step shows, however good the mean of a long path is. A path shorter than the window is one window. No label is needed."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["worst-window"] = "worst-window"
    window: Annotated[int, Field(gt=0)] = 32
    """Tokens of a window."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the windows, the lowest ones, whose mean is taken; 0 = the lowest alone, 0.1 = DeepConf's bottom tenth."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        reasoning = path.reasoning_logprobs
        if not reasoning:
            return Score(path.id, None)
        return Score(path.id, lowest(window_means(reasoning, self.window), self.share), {"mean": mean(reasoning)})


class Perplexity(PathScorer):
    """−exp(−mean of log p and log q): the negated perplexity of the whole path, at most −1; the order is that of `mean-logprob`."""

    needs: ClassVar[str] = "log-probabilities"
    use: Literal["perplexity"] = "perplexity"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(path) for path in paths]

    def _score(self, path: ReasoningPath) -> Score:
        logprobs = [*(path.reasoning_logprobs or ()), *(path.answer_logprobs or ())]
        return Score(path.id, -math.exp(-mean(logprobs)) if logprobs else None, {"tokens": float(len(logprobs))})


class RewardWeightedLikelihood(PathScorer):
    """The log-likelihood of a path weighted by its reward: mean of log p and log q, plus the sum of its rules' rewards over `beta`.

    ReasonGRM (2506.16712) names reward-weighted likelihood among its next checks, without a formula. This is the logarithm of likelihood ·
    exp(reward / beta), the weight of reward-weighted regression (Peters and Schaal 2007): it rises with either. A product of reward and
    log-likelihood would not, for both may be negative. Unbounded; a path to which no rule applies has no score. Each rule's part is
    recorded."""

    needs: ClassVar[str] = "log-probabilities, and what its rules need"
    use: Literal["reward-weighted-likelihood"] = "reward-weighted-likelihood"
    rules: Annotated[list[RewardRule], Field(min_length=1)]
    """Reward rules, added up by their weights; one that does not apply to a path is left out."""
    beta: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of the reward, in its own unit: a smaller one lets the reward decide."""
    normalised: bool = True
    """Whether the likelihood counts by the mean over tokens instead of the sum."""

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return any(rule.needs_labels for rule in self.rules)

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [self._score(problem, path) for path in paths]

    def _score(self, problem: Problem, path: ReasoningPath) -> Score:
        logprobs = [*(path.reasoning_logprobs or ()), *(path.answer_logprobs or ())]
        parts: dict[str, float] = {}
        for rule in self.rules:
            with boundary(rule, "reward"):
                value = number_or_none(rule, "reward", rule.reward(problem, path))
            if value is not None:
                parts[rule.use] = rule.weight * value
        if not logprobs or not parts:
            return Score(path.id, None, parts)
        likelihood = mean(logprobs) if self.normalised else math.fsum(logprobs)
        return Score(path.id, likelihood + math.fsum(parts.values()) / self.beta, {"likelihood": likelihood, **parts})
