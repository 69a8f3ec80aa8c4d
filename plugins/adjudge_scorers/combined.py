"""Several scorers as one: their ranks among a problem's paths, or their standard scores, weighted and added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from adjudge import PathScorer, Problem, ReasoningPath, Score, Session
from adjudge_rstar import score_paths

from .windows import mean


class Combine(PathScorer):
    """Σ weight · rank, or Σ weight · z, of several scorers, over the paths of one problem that all of them can score.

    A rank is the share of the other paths below, ties as halves, in [0, 1]; z = (score − mean) / standard deviation, 0 where all are equal.
    Ranks ask for nothing of the scales, z keeps how far apart the scores are. With weights that add up to 1 the sum of
    ranks is in [0, 1]."""

    needs: ClassVar[str] = "what its scorers need"
    use: Literal["combine"] = "combine"
    scorers: Annotated[list[PathScorer], Field(min_length=1)]
    """The scorers, each asked about the same paths."""
    weights: list[float] | None = None
    """One for each scorer; None = all alike, adding up to 1."""
    by: Literal["rank", "z"] = "rank"
    """What is added up."""

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.scorers):
            raise ValueError(f"{len(self.weights)} weights for {len(self.scorers)} scorers; write one for each")
        return self

    @property
    def statistics(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(scorer.statistics for scorer in self.scorers))

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return any(scorer.needs_labels for scorer in self.scorers)

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        weights = self.weights or [1 / len(self.scorers)] * len(self.scorers)
        made = [[score.value for score in score_paths(scorer, problem, paths, session)] for scorer in self.scorers]
        whole = [place for place in range(len(paths)) if all(values[place] is not None for values in made)]
        standard: Any = ranks if self.by == "rank" else z_scores
        columns = [dict(zip(whole, standard([values[place] for place in whole]), strict=True)) for values in made]
        found = []
        for place, path in enumerate(paths):
            if place not in columns[0]:
                found.append(Score(path.id, None))
                continue
            parts = {
                f"{index + 1}-{scorer.use}": column[place] for index, (scorer, column) in enumerate(zip(self.scorers, columns, strict=True))
            }
            value = math.fsum(weight * part for weight, part in zip(weights, parts.values(), strict=True))
            found.append(Score(path.id, value, parts))
        return found


def ranks(values: Sequence[float]) -> list[float]:
    """Of each value, the share of the others below it, ties as halves; one alone is in the middle."""
    others = len(values) - 1
    if others < 1:
        return [0.5] * len(values)
    return [(sum(one < value for one in values) + (values.count(value) - 1) / 2) / others for value in values]


def z_scores(values: Sequence[float]) -> list[float]:
    """Of each value, how many standard deviations it lies above the mean; 0 where all are equal."""
    if not values:
        return []
    middle = mean(values)
    spread = math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))
    return [(value - middle) / spread if spread > 0 else 0.0 for value in values]
