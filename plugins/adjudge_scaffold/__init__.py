"""For authors: the commands ``new-plugin`` and ``schema``, and checks of what each kind promises, for a plugin's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .command import Addition, plugin_files
    from .contracts import (
        Decide,
        check_aggregator,
        check_component,
        check_eligibility,
        check_judge,
        check_rule,
        check_scorer,
        completion_of,
        path_of,
        play_with,
    )
    from .schema import json_schema

__all__ = [
    "Addition", "Decide", "check_aggregator", "check_component", "check_eligibility", "check_judge", "check_rule", "check_scorer",
    "completion_of", "json_schema", "path_of", "play_with", "plugin_files",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from . import command, schema

    return [Command("schema", schema.schema, schema.EXAMPLE), Command("new-plugin", command.new_plugin, command.EXAMPLE)]
