"""Data sets in local JSON Lines files: problems with their answers, and TRL's preference format."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Dataset, hookimpl

from .jsonl import Jsonl
from .preference import Preference


@hookimpl
def register_datasets() -> Iterable[type[Dataset]]:
    return [Jsonl, Preference]
