"""Pointwise rewards: every completion is rated by itself on the judge's own scale, so that a group of one has a reward too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adjudge import ConfigError, Judge, Outcome, Ranking
from adjudge_judge_commands import Rating, alone
from adjudge_tournament import Budget, Reward, Voting, as_reward

if TYPE_CHECKING:
    from adjudge_judge_commands import OpenJudge


def check_pointwise(judge: Judge, reward: Reward, budget: Any, voting: Mapping[str, Any], anchor: str | None = None) -> None:
    """Raise `ConfigError` where completions that are not compared are asked for what only comparisons have."""
    alone(judge, "pointwise: true, judge")
    plain = {name: field.default for name, field in Voting.model_fields.items()}
    set_to = sorted(name for name, value in voting.items() if name not in ("votes", "on_unreadable") and value != plain.get(name))
    for given, what in (
        (reward == "win-rate", "reward: win-rate"),
        (budget not in (None, Budget()), "budget"),
        (anchor is not None, "anchor"),
        (bool(set_to), f"voting.{set_to[0] if set_to else ''}"),
    ):
        if given:
            raise ConfigError(
                f"pointwise: {what} is about matches, and completions that are rated by themselves play none.\n"
                "  Remedy: leave it out, or set pointwise: false."
            )


@dataclass(frozen=True, slots=True)
class Rated:
    """The ratings of a group's completions, by what they say."""

    ratings: Mapping[str, Rating]
    bounds: tuple[float, float] | None
    """The judge's worst and best rating, where it tells them."""

    def values(self, texts: Sequence[str], how: Reward) -> list[float | None]:
        """Each completion's number among those of its group that have a rating; equal ones count as often as they came."""
        known = {place: value for place, text in enumerate(texts) if (value := self.ratings[text].value) is not None}
        made = dict(zip(known, as_reward(Ranking((), tuple(known.values())), how), strict=True))
        return [made.get(place) for place in range(len(texts))]

    def absolute(self, text: str) -> float | None:
        """The rating as a place on the judge's scale, in [0, 1]; None where there is no rating, or the scale has no known ends."""
        value = self.ratings[text].value
        return None if value is None or self.bounds is None else (value - self.bounds[0]) / (self.bounds[1] - self.bounds[0])

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all judgements."""
        return [outcome for rating in self.ratings.values() for outcome in rating.outcomes]

    @property
    def tokens(self) -> int:
        """That all judgements took."""
        return sum(rating.tokens for rating in self.ratings.values())


def rated(judge: OpenJudge, groups: Sequence[tuple[str, Sequence[str]]], votes: int) -> list[Rated]:
    """The ratings of all groups, each a prompt and its distinct completions, asked for together."""
    problems = [{"prompt": prompt, "answers": list(texts)} for prompt, texts in groups]
    bounds = getattr(judge.options, "bounds", None)
    return [
        Rated(dict(zip(texts, ratings, strict=True)), bounds)
        for (_, texts), ratings in zip(groups, judge.rate(problems, samples=votes), strict=True)
    ]
