"""Data sets in local files: problems with their answers, TRL's preference format, Skywork's 80K pairs, and mixes of data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Dataset

    from .ids import free_id, held_out, unique_ids
    from .json_lines import RowError, not_empty, object_in, open_lines, problem_in, read_rows, text_field
    from .jsonl import Jsonl
    from .mix import Mix, MixPart
    from .preference import Preference
    from .skywork import Skywork80k

__all__ = [
    "Jsonl", "Mix", "MixPart", "Preference", "RowError", "Skywork80k", "free_id", "held_out", "not_empty", "object_in", "open_lines",
    "problem_in", "read_rows", "text_field", "unique_ids",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_datasets() -> list[type[Dataset]]:
    from .jsonl import Jsonl
    from .mix import Mix
    from .preference import Preference
    from .skywork import Skywork80k

    return [Jsonl, Mix, Preference, Skywork80k]
