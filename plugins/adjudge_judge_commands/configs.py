"""What may be set in a call of ``judge``, ``rank``, ``eval`` and ``score``: one configuration for each, as ``--set`` reaches it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from adjudge import Aggregator, Budget, Dataset, Engine, Judge, Options, PathScorer, Voting
from adjudge_tournament import Reward


class JudgeConfig(Options):
    """A judge, and what answers for it."""

    model: str
    """Model folder, GGUF file, id of a hub's model in the local cache, or ``package:folder``."""
    judge: Judge
    """How to judge; the model's own way unless the call says otherwise."""
    engine: Engine
    """Where completions come from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every random choice follows from this number."""
    data: Dataset | None = None
    """The data set that is judged; None where rows are read."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """At most so many problems, evenly from all; None = all."""


class RowsConfig(JudgeConfig):
    """A judge that is asked about rows."""

    columns: dict[str, str | list[str] | None] = {}
    """The rows' own names for the columns known here, as ``{prompt: question}``; null reads rows without such a column."""


class EvalConfig(JudgeConfig):
    """A judge and the labelled problems that it is measured on."""

    data: Dataset
    """Labelled problems."""


class RankConfig(RowsConfig):
    """A judge and the tournament that it decides."""

    aggregator: Aggregator
    """How pairwise outcomes become a ranking."""
    voting: Voting = Voting()
    """How votes decide a match."""
    budget: Budget = Budget()
    """What each ranking may spend."""
    reward: Reward | None = None
    """The reward to add; None = none."""


class ScoreConfig(RowsConfig):
    """A judge whose model scores paths that were written earlier."""

    scorer: PathScorer
    """How paths are scored."""
    data: Dataset | None = None
    """Problems that rows name by ``problem_id``; None where every row has its own."""
