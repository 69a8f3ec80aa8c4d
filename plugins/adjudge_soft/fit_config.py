"""What `adjudge fit` is told: a judge made of judges, and the pairs that it learns from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from adjudge import Dataset, Engine, Judge, Options


class FitConfig(Options):
    """A judge made of judges, and the pairs that it learns from."""

    model: str
    """Model folder, GGUF file, id of a hub's model in the local cache, or ``package:folder``."""
    judge: Judge
    """The judge whose options are found."""
    engine: Engine
    """Where completions come from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every random choice follows from this number."""
    data: Dataset
    """The pairs."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """At most so many pairs, evenly from all; None = all."""
