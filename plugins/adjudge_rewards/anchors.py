"""Where a row's reference answers are: in the field that the reward's `anchor` names, of the places in which a framework keeps columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adjudge import ConfigError


def anchors_in(field: str | None, *places: Any) -> list[Any]:
    """The reference answers in this field of the first place that has it, one or several; none where nobody named a field or has it.

    A place that is no mapping is a framework's one column, and is the answer itself.
    """
    if field is None:
        return []
    found = next((one for place in places if (one := place.get(field) if isinstance(place, Mapping) else place) is not None), "")
    if isinstance(found, list | tuple) or hasattr(found, "tolist"):
        return list(found)
    return [] if found == "" else [str(found)]


def anchors_of(field: str | None, what: str, *places: Any) -> list[Any]:
    """The same of rows that all have such a field; raises `ConfigError` with what they have instead."""
    found = anchors_in(field, *places)
    if field is not None and not any(isinstance(place, Mapping) and place.get(field) is not None for place in places):
        known = ", ".join(sorted({str(name) for place in places if isinstance(place, Mapping) for name in place})) or "none"
        raise ConfigError(f"anchor: {what} has no field {field!r} (it has: {known}).\n  Remedy: name the field that is there.")
    return found
