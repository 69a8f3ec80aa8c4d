"""Problems with their answers, one per row, shown as they stand.

{"prompt": "What is 37+48?", "answers": ["85", "75"], "label": 0, "id": "sum-1", "meta": {"level": 1}}

`label` is the index of the right answer and may be left out; so may `id` and `meta`. More than two answers are for ranking. Prompt and
answers may be messages.
"""

from __future__ import annotations

from typing import Any, Literal

from adjudge import Problem

from .row_errors import RowError
from .row_files import RowFile, differ
from .shapes import compared, named


class Jsonl(RowFile):
    """Rows with a prompt, two or more answers, and perhaps a label."""

    use: Literal["jsonl"] = "jsonl"

    def _read(self, row: dict[str, Any]) -> list[Problem]:
        row = named(row, self.columns)
        if not isinstance(row.get("answers"), list):
            raise RowError("has no field 'answers' that is a list of texts" + _hint(row))
        found = compared(row)
        if len(found.answers) < 2:
            raise RowError(f"has {len(found.answers)} answers; a problem needs two or more")
        return [Problem("", found.prompt, differ(found.answers), found.better[0] if found.better else None)]


def _hint(row: dict[str, Any]) -> str:
    other = next((name for name in ("chosen", "winner") if row.get(name) is not None), None)
    return "" if other is None else f"; rows with {other!r} are read by 'use: preference'"
