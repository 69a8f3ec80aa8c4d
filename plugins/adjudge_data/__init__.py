"""Data sets in local files: problems with their answers, TRL's preference format, Skywork's 80K pairs, and mixes of data sets."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Dataset, hookimpl

from .jsonl import Jsonl
from .mix import Mix, MixPart
from .preference import Preference
from .skywork import Skywork80k

__all__ = ["MixPart"]


@hookimpl
def register_datasets() -> Iterable[type[Dataset]]:
    return [Jsonl, Mix, Preference, Skywork80k]
