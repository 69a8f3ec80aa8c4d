"""Scores of a path by a reference: how likely the model holds the reference answer once it has read the path. No verifier is needed.

The reference is a text in the problem's `meta`, which takes the place of the verdict (open-ended answers); where there is none, the verdict
that names the labelled answer. In the formulas: log q of its M tokens in nats, after the reasoning. Higher is better everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from adjudge import PathScorer, Problem, ReasoningPath, Score, Session

from .asking import ids_before, ids_of, judge_of, last_logprobs, prompts, reference_of
from .windows import mean


class ByReference(PathScorer):
    """The base of scorers that read a reference in the answer's place."""

    needs: ClassVar[str] = "a reference answer in meta, or a label; an engine that scores given tokens"
    statistics: ClassVar[frozenset[str]] = frozenset({"logprob"})
    reference: str = "reference"
    """Field of a problem's `meta` that holds the reference; where there is none, the labelled verdict is the reference."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        judge = judge_of(session, self)
        asked = prompts(judge, problem, paths)
        found = []
        for path in paths:
            text = reference_of(judge, problem, path, self.reference)
            ids = ids_of(session, text) if text is not None else []
            if not ids or path.verdict.answer is None:
                found.append(Score(path.id, None))
                continue
            before = ids_before(path)
            without = [ids] if self.bare else []
            rows = last_logprobs(session, asked[path.order], [[*before, *ids], *without], [len(ids)] * (1 + len(without)))
            found.append(self.of(path, len(before), rows[0], rows[-1]))
        return found

    bare: ClassVar[bool] = False
    """Whether the reference is read without the path, too."""

    def of(self, path: ReasoningPath, length: int, after: Sequence[float], without: Sequence[float]) -> Score:
        """The score from log q after a reasoning of so many tokens, and without it."""
        raise NotImplementedError


class ReferenceProbability(ByReference):
    """RLPR's reward (2506.18254): PR = mean q of the reference's tokens after the path, in [0, 1].

    It is R⋆'s validity with the reference in the answer's place. `debiased`: PR − PR without the path, cut off at 0 and 1, so that a
    reference which is likely anyway speaks for no path."""

    use: Literal["reference-probability"] = "reference-probability"
    bare = True
    debiased: bool = True
    """Whether the reference's probability without the path is taken off."""

    def of(self, path: ReasoningPath, length: int, after: Sequence[float], without: Sequence[float]) -> Score:
        told, anyway = (mean([math.exp(min(0.0, value)) for value in row]) for row in (after, without))
        value = min(1.0, max(0.0, told - anyway)) if self.debiased else told
        return Score(path.id, value, {"after": told, "without": anyway})


class ReferenceLogprob(ByReference):
    """(1/M) Σ log q of the reference after the path, or Σ log q; at most 0, in nats (2602.03979: the variant that works everywhere)."""

    use: Literal["reference-logprob"] = "reference-logprob"
    total: bool = False
    """Whether it is the sum instead of the mean."""

    def of(self, path: ReasoningPath, length: int, after: Sequence[float], without: Sequence[float]) -> Score:
        return Score(path.id, math.fsum(after) if self.total else mean(after), {"tokens": float(len(after))})


class ReferenceLikelihood(ByReference):
    """VeriFree's reward (2505.21493): exp Σ log q of the reference after the path, in [0, 1]; vanishes for references of many tokens."""

    use: Literal["reference-likelihood"] = "reference-likelihood"

    def of(self, path: ReasoningPath, length: int, after: Sequence[float], without: Sequence[float]) -> Score:
        return Score(path.id, math.exp(min(0.0, math.fsum(after))), {"tokens": float(len(after))})


class ReferencePerplexity(ByReference):
    """NOVER (2505.16022): −exp(NLL / max(1, 1 + log10 L)) of the reference after the path; at most −1, NLL per token, L reasoning tokens.

    The divisor forgives a long path some of the perplexity that its length brings."""

    use: Literal["reference-perplexity"] = "reference-perplexity"

    def of(self, path: ReasoningPath, length: int, after: Sequence[float], without: Sequence[float]) -> Score:
        loss, divisor = max(0.0, -mean(after)), max(1.0, 1 + math.log10(max(1, length)))
        return Score(path.id, -math.exp(loss / divisor), {"nll": loss, "divisor": divisor})
