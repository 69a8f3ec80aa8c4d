"""Problems with their answers, one per line, shown as they stand.

{"prompt": "What is 37+48?", "answers": ["85", "75"], "label": 0, "id": "sum-1", "meta": {"level": 1}}

`label` is the index of the right answer and may be left out; so may `id` and `meta`. More than two answers are for ranking.
"""

from __future__ import annotations

from typing import Any, Literal

from adjudge import Problem, RowError, text_field

from .row_files import RowFile, differ


class Jsonl(RowFile):
    """JSON Lines rows with a prompt, two or more answers, and perhaps a label."""

    use: Literal["jsonl"] = "jsonl"

    def _read(self, row: dict[str, Any]) -> Problem:
        answers = differ(_answers(row))
        return Problem("", text_field(row, "prompt"), answers, _label(row, len(answers)))


def _answers(row: dict[str, Any]) -> tuple[str, ...]:
    answers = row.get("answers")
    if not isinstance(answers, list):
        raise RowError("has no field 'answers' that is a list of texts")
    for number, answer in enumerate(answers, 1):
        if not isinstance(answer, str):
            raise RowError(f"has an answer (number {number}) that is a {type(answer).__name__}, not a text")
    if len(answers) < 2:
        raise RowError(f"has {len(answers)} answers; a problem needs two or more")
    return tuple(answers)


def _label(row: dict[str, Any], size: int) -> int | None:
    label = row.get("label")
    if label is None:
        return None
    if isinstance(label, bool) or not isinstance(label, int):
        raise RowError(f"has the label {label!r}; a label is the right answer's index, a whole number from 0 to {size - 1}")
    if not 0 <= label < size:
        raise RowError(f"has the label {label}; its {size} answers have the indices 0 to {size - 1}")
    return label
