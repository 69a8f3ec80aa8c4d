"""`cascade`: the cheapest judge first, and the next one only where it is not sure enough.

Most pairs are easy, and a reasoning judge spends as many tokens on them as on the hard ones. Here a pair whose probability is at least
`margin` away from 1/2 is settled; the others are asked of the next judge, as `cascade` scorers of evaluation frameworks do with grades.
Different here: margins are on probabilities, over both orders where both are shown, every verdict says who decided it and what all judges
wrote for it, and ``adjudge fit`` finds the margins for a budget or an accuracy on labelled pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adjudge import Judge, JudgeRequest, ReasoningPath, Session
from adjudge_judges import noted, tokens_spent

from .inner_judges import JudgeOfJudges
from .member import Member, OneOf, cost, named
from .samples import samples_of, share_of

Margin = Annotated[float, Field(ge=0, le=0.5)]


class Cascade(JudgeOfJudges):
    """Judges in order, the next one asked where the one before is not sure."""

    use: Literal["cascade"] = "cascade"
    judges: Annotated[list[OneOf], Field(min_length=2)]
    """Judges by name or options, the cheapest first; ``{judge: …, model: …}`` or ``{judge: …, engine: …}`` for a model of its own."""
    margin: Margin | list[Margin] = 0.3
    """How far from 1/2 a probability has to be to settle a pair, a number for all judges but the last, or one for each of them. What is
    certain is settled at any margin."""

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
    def _one_margin_each(self) -> Self:
        if isinstance(self.margin, list) and len(self.margin) != len(self.judges) - 1:
            raise ValueError(f"margin: {len(self.margin)} numbers for {len(self.judges)} judges; all but the last have one")
        return self

    def margins(self) -> list[float]:
        """Of every judge; whatever the last one says stands."""
        given = self.margin if isinstance(self.margin, list) else [self.margin] * (len(self.judges) - 1)
        return [*given, 0.0]

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """The judgements by whoever settled them."""
        return noted(session, self._paths(session, requests), sampled=True)

    def _paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        written: dict[str, list[int]] = {one.id: [] for one in requests}
        left = samples_of(requests)
        for place, (member, margin) in enumerate(zip(self.judges, self.margins(), strict=True)):
            unsure = []
            for sample, made in _whole(left, member.paths(session, [one for group in left for one in group])):
                for path in made:
                    written[path.id].append(tokens_spent(path))
                if place < len(self.judges) - 1 and not settled(made, margin):
                    unsure.append(sample)
                    continue
                yield from (self._told(path, place, written[path.id]) for path in made)
            left = unsure
            if not left:
                return

    def _told(self, path: ReasoningPath, place: int, written: Sequence[int]) -> ReasoningPath:
        """The judgement, with who decided it and what all that were asked wrote for it."""
        asked = self.judges[: place + 1]
        price = cost(asked, written)
        told = {**path.verdict.told, "decided_by": named(self.judges)[place], "tokens": sum(written)}
        return replace(path, verdict=replace(path.verdict, told=told if price is None else {**told, "cost": price}))


def settled(sample: Sequence[ReasoningPath], margin: float) -> bool:
    """Whether a sample's probability is far enough from 1/2; one that cannot be read never is, nor one for which there was no room."""
    if any("no_room" in path.verdict.told for path in sample):
        return False
    share = share_of(sample)
    return share is not None and abs(share - 0.5) >= margin


def _whole(
    samples: Sequence[list[JudgeRequest]], paths: Iterator[ReasoningPath]
) -> Iterator[tuple[list[JudgeRequest], list[ReasoningPath]]]:
    """Every sample with its judgements, as soon as all of them are there."""
    of = {one.id: place for place, sample in enumerate(samples) for one in sample}
    made: dict[int, dict[str, ReasoningPath]] = {}
    for path in paths:
        place = of[path.id]
        made.setdefault(place, {})[path.id] = path
        if len(made[place]) == len(samples[place]):
            found = made.pop(place)
            yield samples[place], [found[one.id] for one in samples[place]]
