"""Reference answers by prompt, from a file of rows, for clients that send none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adjudge import DataError, RowError, read_rows
from adjudge_rewards import prompt_text

from .labels import anchors_in


def read_anchors(file: Path | None, field: str | None) -> dict[str, list[str]]:
    """The answers in the column that the reward's `anchor` names, by the prompt of the row; those of several rows are put together."""
    if file is None:
        return {}
    if field is None:
        raise DataError("--anchors: the reward names no column of reference answers.\n  Remedy: add, for example, --set anchor=solution.")

    def of_row(row: dict[str, Any]) -> tuple[str, list[str]]:
        found = anchors_in(row, field)
        if "prompt" not in row or not found:
            raise RowError(f"has no field 'prompt', or no text in {field!r}")
        return prompt_text(row["prompt"], "the prompt").strip(), found

    known: dict[str, list[str]] = {}
    for prompt, found in read_rows(file, skip_bad_lines=None, parse=of_row):
        known[prompt] = list(dict.fromkeys([*known.get(prompt, []), *found]))
    if not known:
        raise DataError(f"--anchors: {file} has no rows.\n  Remedy: name a file of rows with a 'prompt' and {field!r}.")
    return known
