"""A small benchmark of the arithmetic world, to try `adjudge bench` with nothing but the embedded judge.

No paper has it. Held-out sums of every level in equal shares, one group per level. The metric: accuracy of each level, right in every order
that was asked, and the plain mean of the levels. An example problem, level 1: ``37+48`` with the answers ``85`` and ``75``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Problem
from adjudge_benchmarks import Benchmark, Judged, Metric, proportion, weighted_mean

from .dataset import ArithmeticDataset
from .world import LEVELS


class ArithmeticLevels(Benchmark):
    """Held-out sums of two to five digits, accuracy by level; needs no data."""

    use: Literal["arithmetic-levels"] = "arithmetic-levels"
    reads_texts: ClassVar[bool] = False
    each: Annotated[int, Field(gt=0)] = 50
    """How many problems of each level."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed draws other sums."""

    def load(self) -> Iterable[Problem]:
        drawn = ArithmeticDataset(levels=list(LEVELS), size=self.each * len(LEVELS), part="test", seed=self.seed)
        return (replace(problem, meta={**problem.meta, "group": _group(problem.meta["level"])}) for problem in drawn.load())

    def sizes(self) -> Mapping[str, int | None]:
        return {_group(level): self.each for level in LEVELS}

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        rights = {group: [float(set(one.outcomes()) == {one.gold}) for one in judged if one.group == group] for group in self.sizes()}
        levels = [proportion(group, values, [group]) for group, values in rights.items()]
        return [weighted_mean("mean of levels", rights, dict.fromkeys(rights, 1.0)), *levels]


def _group(level: int) -> str:
    return f"level {level}"
