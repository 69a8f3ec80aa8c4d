"""Refuses flags that would mean nothing beside another one, by their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adjudge import ConfigError

if TYPE_CHECKING:
    import typer


def refuse_flags(context: typer.Context, names: Iterable[str], flag: str) -> None:
    """Raise `ConfigError` where a call gives one of these arguments although `flag`, such as ``--replay``, asks no model."""
    flags = {option.name: option.opts[0] for option in context.command.params}
    given = [flags[name] for name in names if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"]
    if given:
        raise ConfigError(f"{flag} asks no model, so {', '.join(given)} would change nothing.\n  Remedy: leave out {flag}, or the others.")
