"""What a row says besides its prompt: the system's message and the tools, shown before it, and images, which are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .chat import Turn, as_json
from .prompts import Side
from .row_errors import RowError

MEDIA = ("image", "images", "video", "videos", "audio", "audios")
SYSTEM = ("system", "system_prompt")


def without_media(row: Mapping[str, Any]) -> None:
    """Raise `RowError` for a row with images or the like; an empty column is none."""
    for name in MEDIA:
        if row.get(name):
            raise RowError(f"has {name!r}, and a judge of texts is not shown them; 'columns: {{{name}: null}}' reads such rows without")


def opened_by(row: Mapping[str, Any], prompt: Side) -> Side:
    """The prompt with its system's message and the row's tools before it."""
    turns = [Turn("user", prompt)] if isinstance(prompt, str) else prompt
    before = [*_system(row, turns), *_tools(row.get("tools"))]
    return [*before, *turns] if before else prompt


def _system(row: Mapping[str, Any], turns: list[Turn]) -> list[Turn]:
    found = []
    for name in SYSTEM:
        value = row.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise RowError(f"has a field {name!r} that is a {type(value).__name__}, not a text")
        said = [turn.text for turn in turns if turn.role == "system"]
        if said and value not in said:
            raise RowError(f"has a field {name!r} that says something else than the system's message of its conversation")
        found += [] if said or Turn("system", value) in found else [Turn("system", value)]
    return found


def _tools(value: Any) -> list[Turn]:
    """The tools that were on offer, one a line, as a list or as the JSON of one."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowError("has a field 'tools' that is a text and no JSON") from None
    if not value:
        return []
    if not isinstance(value, list):
        raise RowError(f"has a field 'tools' that is a {type(value).__name__}, not a list")
    return [Turn("tools", "\n".join(tool if isinstance(tool, str) else as_json(tool) for tool in value))]
