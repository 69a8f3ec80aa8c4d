"""Checks a table of options that a component hands on to another library's settings: names that exist, values that fit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from adjudge import did_you_mean

CONFIG = ConfigDict(arbitrary_types_allowed=True)


def check_foreign_options(table: Mapping[str, Any], settings: Callable[[], type], ours: Mapping[str, str]) -> dict[str, Any]:
    """The table with its values as the settings, a dataclass, take them; every mistake at its own place in one `ValidationError`.

    `settings` imports the dataclass, and is asked only where there is something to check; a library that is not installed checks
    nothing. `ours` are fields that adjudge fills in itself, with what to write in their place.
    """
    mistakes = {name: f"adjudge sets this itself: {ours[name]}" for name in table if name in ours}
    found = dict(table)
    others = [name for name in table if name not in ours]
    if others and (cls := _imported(settings)) is not None:
        for name in others:
            try:
                found[name] = _value(cls, name, table[name], ours)
            except ValueError as error:
                mistakes[name] = str(error)
    if mistakes:
        raise ValidationError.from_exception_data("table", [_told(name, text, table[name]) for name, text in mistakes.items()])
    return found


def _imported(settings: Callable[[], type]) -> type | None:
    try:
        return settings()
    except ModuleNotFoundError:
        return None


def _value(cls: type, name: str, value: Any, ours: Mapping[str, str]) -> Any:
    known = {field.name for field in fields(cls) if field.init}
    if name not in known:
        raise ValueError(f"{cls.__name__} has no such field{did_you_mean(name, known - ours.keys())}")
    try:
        converted = TypeAdapter(_type(cls, name), config=CONFIG).validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None
    return converted if type(converted) in (bool, int, float, str) else value


def _type(cls: type, name: str) -> Any:
    """A field's type, from the class that declares it; anything where it cannot be told."""
    owner = next(base for base in cls.__mro__ if name in vars(base).get("__annotations__", {}))
    alone = type(name, (), {"__annotations__": {name: vars(owner)["__annotations__"][name]}})
    try:
        return get_type_hints(alone, vars(sys.modules[owner.__module__]))[name]
    except (NameError, TypeError):
        return Any


def _told(name: str, text: str, value: Any) -> InitErrorDetails:
    return {"type": PydanticCustomError("mistake", "{message}", {"message": text}), "loc": (name,), "input": value}
