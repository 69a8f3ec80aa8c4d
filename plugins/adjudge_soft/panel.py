"""`panel`: several judges on every pair, and the majority of them.

A panel of smaller judges from different families has been found to agree with people better than one large judge (arXiv 2404.18796).
Votes count alike, or by `weights`, which ``adjudge fit`` finds without labels by Dawid and Skene's model of 1979: a judge counts by the
log-odds of its being right. What a judge cannot decide is no vote; the panel's probability is the weighted mean of its members'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adjudge import Judge, JudgeRequest, Outcome, ReasoningPath, Session
from adjudge_judges import noted, tokens_spent

from .inner_judges import JudgeOfJudges
from .member import Member, OneOf, cost, named


class Panel(JudgeOfJudges):
    """Several judges, whose majority decides; votes count alike or by weights."""

    use: Literal["panel"] = "panel"
    judges: Annotated[list[OneOf], Field(min_length=2)]
    """Judges by name or options; ``{judge: …, model: …}`` or ``{judge: …, engine: …}`` for one with a model of its own."""
    weights: list[Annotated[float, Field(ge=0)]] | None = None
    """What the vote of each judge counts; None = all alike."""

    def inner(self) -> Sequence[Judge]:
        return [member.judge for member in self.judges]

    def members(self) -> Sequence[Member]:
        """Those that may have models of their own."""
        return self.judges

    @property
    def needs_logprobs(self) -> bool:
        return any(member.needs_logprobs for member in self.judges)

    @property
    def needs_given_tokens(self) -> bool:
        return any(member.needs_given_tokens for member in self.judges)

    @model_validator(mode="after")
    def _one_weight_each(self) -> Self:
        if self.weights is not None and (len(self.weights) != len(self.judges) or not any(self.weights)):
            raise ValueError(f"weights: {self.weights} for {len(self.judges)} judges; each has one, and not all are 0")
        return self

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """One judgement for each request, by the majority of all judges."""
        return noted(session, self._paths(session, requests), sampled=True)

    def _paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        ballots: dict[str, list[ReasoningPath]] = {one.id: [] for one in requests}
        for member in self.judges:
            for path in member.paths(session, requests):
                ballots[path.id].append(path)
                if len(ballots[path.id]) == len(self.judges):
                    yield self._together(ballots.pop(path.id))

    def _together(self, ballot: Sequence[ReasoningPath]) -> ReasoningPath:
        """The judgement of the first judge that says what the panel says, with everybody's vote; a failure where nobody could decide."""
        weights = self.weights or [1.0] * len(ballot)
        cast = [(path, weight) for path, weight in zip(ballot, weights, strict=True) if path.verdict.outcome.decided]
        written = [tokens_spent(path) for path in ballot]
        price = cost(self.judges, written)
        votes = {name: path.verdict.outcome.value for name, path in zip(named(self.judges), ballot, strict=True)}
        told = {"votes": votes, "tokens": sum(written), **({} if price is None else {"cost": price})}
        if not cast:
            return replace(ballot[0], verdict=replace(ballot[0].verdict, told=told))
        lead = math.fsum(weight * (2 * path.verdict.outcome.points - 1) for path, weight in cast)
        outcome = Outcome.TIE if abs(lead) < 1e-12 else Outcome.FIRST if lead > 0 else Outcome.SECOND
        total = math.fsum(weight for _, weight in cast)
        probability = math.fsum(weight * _share(path) for path, weight in cast) / total if total else 0.5
        speaker = next((path for path, _ in cast if path.verdict.outcome == outcome), cast[0][0])
        return replace(speaker, verdict=replace(speaker.verdict, outcome=outcome, probability=probability, told=told))


def _share(path: ReasoningPath) -> float:
    """How probable *first*, as it was shown, is to one judge."""
    return path.verdict.outcome.points if path.verdict.probability is None else path.verdict.probability
