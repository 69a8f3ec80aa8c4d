"""An arena's vote that is told in three columns of 0 and 1 instead of one `winner`, and its turns in lists written as JSON.

{"prompt": "[\\"2+3\\"]", "response_a": "[\\"6\\"]", "response_b": "[\\"5\\"]", "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .row_errors import RowError

COLUMNS = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie"}
TURNS = ("prompt", "response_a", "response_b")


def with_winner(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a `winner`, and with both conversations where its turns stand in lists; another kind of row as it is."""
    if "winner" in row or not all(name in row for name in COLUMNS):
        return dict(row)
    said = [winner for name, winner in COLUMNS.items() if _one(row[name], name)]
    if len(said) != 1:
        raise RowError(f"has {len(said)} winners in {', '.join(COLUMNS)}; just one of them is 1")
    found = {**{name: value for name, value in row.items() if name not in COLUMNS}, "winner": said[0]}
    asked, *answered = (_listed(row.get(name)) for name in TURNS)
    if asked is None or any(one is None for one in answered):
        return found
    for name, replies in zip(("conversation_a", "conversation_b"), answered, strict=True):
        found[name] = _conversation(asked, replies or [])
    return {name: value for name, value in found.items() if name not in TURNS}


def _one(value: Any, name: str) -> bool:
    if str(value) not in ("0", "1", "0.0", "1.0", "False", "True"):
        raise RowError(f"has {value!r} in {name!r}, which is 0 or 1")
    return str(value) in ("1", "1.0", "True")


def _listed(value: Any) -> list[Any] | None:
    """The turns of a list, or of a text that is one in JSON; None for any other text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, list) else None


def _conversation(asked: list[Any], replies: list[Any]) -> list[dict[str, Any]]:
    if len(asked) != len(replies):
        raise RowError(f"has {len(asked)} turns in 'prompt' and {len(replies)} in a response")
    if not all(isinstance(text, str) for text in (*asked, *replies)):
        raise RowError("has a turn that is no text")
    turns = zip(asked, replies, strict=True)
    return [{"role": role, "content": text} for pair in turns for role, text in zip(("user", "assistant"), pair, strict=True)]
