"""Preferences from rankings: which answer is better than which, by how much, on whose word, and what becomes of ties."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from adjudge import Reward, as_reward, coin

from .sources import Ranked

Pairs: TypeAlias = Literal["all", "best-worst"]
"""``all``: any two answers of a ranking. ``best-worst``: its first against its last."""
Ties: TypeAlias = Literal["skip", "keep"]
"""``skip``: no row. ``keep``: a row with margin 0 in which a seeded coin chose, or the format's own tie."""
NEAR = 1e-9
"""Rewards that differ by no more are equal; what is left of them is rounding."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One answer that is preferred to another."""

    prompt: str
    chosen: str
    rejected: str
    margin: float
    """The difference of their rewards; 0 for a tie."""
    origin: Mapping[str, Any]
    """Where it is from: ``id``, ``run``, ``judge``, ``model``, ``votes`` of the whole ranking, ``direct`` points of the chosen one where
    the two met, ``rated_by``, and ``reward``, the scale of the margin."""

    @property
    def tie(self) -> bool:
        return self.margin == 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What becomes of a ranking."""

    reward: Reward = "win-rate"
    """The number whose difference is the margin, as `as_reward` makes it."""
    pairs: Pairs = "all"
    ties: Ties = "skip"
    min_margin: float = 0.0
    """Preferences with a smaller margin are left out; ties follow their own rule."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many were left out, by why."""


def preferences(ranked: Iterable[Ranked], rules: Rules) -> Iterator[Preference]:
    """The preferences of all rankings, in order. Answers with the same text count once; one that nobody could judge is in none."""
    for one in ranked:
        values = rewards_of(one, rules.reward)
        answers = one.problem.answers
        known = [place for place, text in enumerate(answers) if values[place] is not None and answers.index(text) == place]
        rules.left_out["answers without a judgement"] += sum(value is None for value in values)
        for first, second in _pairs(known, values, rules.pairs):
            if (found := _preference(one, first, second, values, rules)) is not None:
                yield found


def rewards_of(one: Ranked, reward: Reward) -> list[float | None]:
    """The reward of every answer; None for one that nobody could judge."""
    return as_reward(one.result, reward)


def _pairs(known: list[int], values: list[float | None], pairs: Pairs) -> Iterable[tuple[int, int]]:
    if pairs == "all" or len(known) < 2:
        return itertools.combinations(known, 2)
    best_first = sorted(known, key=lambda place: -(values[place] or 0.0))
    return [(best_first[0], best_first[-1])]


def _preference(one: Ranked, first: int, second: int, values: list[float | None], rules: Rules) -> Preference | None:
    margin = (values[first] or 0.0) - (values[second] or 0.0)
    tie = abs(margin) <= NEAR
    if tie and rules.ties == "skip":
        rules.left_out["ties"] += 1
        return None
    if not tie and abs(margin) < rules.min_margin:
        rules.left_out["margins too small"] += 1
        return None
    swap = coin("export", one.problem.id, first, second) if tie else margin < 0
    chosen, rejected = (second, first) if swap else (first, second)
    answers = one.problem.answers
    return Preference(
        one.problem.prompt, answers[chosen], answers[rejected], 0.0 if tie else abs(margin),
        {**origin_of(one, rules.reward), "direct": _direct(one, chosen, rejected)},
    )  # fmt: skip


def origin_of(one: Ranked, reward: Reward) -> dict[str, Any]:
    """Where a ranking is from, as every format has it."""
    return {"id": one.problem.id, **one.origin, "votes": one.votes, "rated_by": one.result.rated_by, "reward": reward}


def _direct(one: Ranked, chosen: int, rejected: int) -> float | None:
    """Mean points of the chosen answer where the two met and a vote was read; None where they did not."""
    read = [played for played in one.result.played if not (played.undecided or played.dropped)]
    points = [played.outcome.points for played in read if (played.match.first, played.match.second) == (chosen, rejected)]
    points += [1 - played.outcome.points for played in read if (played.match.first, played.match.second) == (rejected, chosen)]
    return sum(points) / len(points) if points else None
