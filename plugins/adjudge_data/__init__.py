"""Data sets as people have them: problems with their answers, preferences in every shape, Skywork's 80K pairs, mixes; and their reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Dataset

    from .chat import Turn, conversation_text, shown, turns_in
    from .chosen import ById, Chosen
    from .hub import hub_splits
    from .ids import free_id, held_out, unique_ids
    from .json_lines import not_empty, object_in, problem_in, read_rows, text_field
    from .jsonl import Jsonl
    from .mix import Mix, MixPart
    from .places import files_of, rows_of_file
    from .preference import Preference
    from .row_errors import IdenticalAnswersError, RowError
    from .shapes import Columns, Compared, compared, named
    from .skywork import Skywork80k
    from .spool import Spool, problems_of, spooled
    from .texts import open_lines

__all__ = [
    "ById", "Chosen", "Columns", "Compared", "IdenticalAnswersError", "Jsonl", "Mix", "MixPart", "Preference", "RowError", "Skywork80k",
    "Spool", "Turn", "compared", "conversation_text", "files_of", "free_id", "held_out", "hub_splits", "named", "not_empty",
    "object_in", "open_lines", "problem_in", "problems_of", "read_rows", "rows_of_file", "shown", "spooled", "text_field", "turns_in",
    "unique_ids",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_datasets() -> list[type[Dataset]]:
    from .jsonl import Jsonl
    from .mix import Mix
    from .preference import Preference
    from .skywork import Skywork80k

    return [Jsonl, Mix, Preference, Skywork80k]
