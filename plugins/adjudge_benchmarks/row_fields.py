"""Fields of a benchmark's rows, each of them checked: what is not one of the values that are known is refused, and never stands for one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from adjudge import Outcome, RowError
from adjudge_data import conversation_text

Value = TypeVar("Value")
VOTES: Mapping[Any, Outcome] = {
    "model_a": Outcome.FIRST,
    "model_b": Outcome.SECOND,
    "tie": Outcome.TIE,
    "tie (bothbad)": Outcome.TIE,
    "both_bad": Outcome.TIE,
    "tie (inconsistent)": Outcome.TIE,
}
"""What the arena's votes say, in every spelling of its data sets."""


def field(row: Any, name: str, *allowed: Any) -> Any:
    """A field that has to be there, with one of these values where some are given; `True` is not 1."""
    if not isinstance(row, Mapping):
        raise RowError(f"has a {type(row).__name__} where an object with the field {name!r} is expected")
    if name not in row:
        raise RowError(f"has no field {name!r} (it has: {', '.join(map(str, row)) or 'none'})")
    return one_of(row[name], name, allowed) if allowed else row[name]


def one_of(value: Any, name: str, allowed: Sequence[Any]) -> Any:
    """The one of these values that this is."""
    same = (one for one in allowed if one == value and isinstance(one, bool) == isinstance(value, bool))
    found = next(same, NOTHING)
    if found is NOTHING:
        raise RowError(f"has the {name} {value!r}, which is none of {', '.join(map(repr, allowed))}")
    return found


NOTHING = object()


def meaning(row: Any, name: str, known: Mapping[Any, Value]) -> Value:
    """What a field's value means, which has to be one of those known."""
    return known[field(row, name, *known)]


def ident(row: Any, name: str) -> str:
    """A field that identifies something: a text or a number."""
    value = field(row, name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError(f"has the {name} {value!r}, which is neither a text nor a number")
    return str(value)


def listed(row: Any, name: str, least: int = 1) -> list[Any]:
    """A field that has to be a list of so many values or more."""
    value = field(row, name)
    if not isinstance(value, list) or len(value) < least:
        raise RowError(f"has a field {name!r} that is no list of {least} or more")
    return value


def texts(row: dict[str, Any], name: str, least: int = 1) -> list[str]:
    """A field that has to be a list of texts."""
    value = row.get(name)
    if not isinstance(value, list) or len(value) < least or not all(isinstance(text, str) for text in value):
        raise RowError(f"has no field {name!r} that is a list of {least} texts or more")
    return value


def numbers(row: Any, name: str, size: int) -> tuple[float, ...]:
    """A field that has to be a list of so many numbers."""
    value = listed(row, name)
    if len(value) != size:
        raise RowError(f"has a field {name!r} that is no list of {size} numbers")
    return finite(value, name)


def finite(values: Sequence[Any], name: str) -> tuple[float, ...]:
    """Numbers that can be compared; nan would be a tie with every other."""
    for one in values:
        if isinstance(one, bool) or not isinstance(one, int | float) or not math.isfinite(one):
            raise RowError(f"has {one!r} among its {name}, which is no finite number")
    return tuple(map(float, values))


def said_text(value: Any) -> str:
    """What a recorded judge wrote, where it is kept: a text, or nothing."""
    if value is not None and not isinstance(value, str):
        raise RowError(f"has a judgement that is a {type(value).__name__}, not a text")
    return value or ""


def messages(turns: Any) -> list[dict[str, Any]]:
    """A conversation: messages with texts as `role` and `content`."""
    said = isinstance(turns, list) and turns and all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in turns)
    if not said:
        raise RowError("has a conversation that is no list of messages with texts as 'content'")
    for turn in turns:
        field(turn, "role", "system", "user", "assistant")
    return list(turns)


def conversation(turns: Any) -> str:
    """Messages as one prompt: a single one is its content, a longer conversation names who speaks."""
    return conversation_text(messages(turns))
