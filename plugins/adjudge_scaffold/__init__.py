"""Commands for authors: ``new-plugin``, a folder to start a plugin from, with its tests, and ``schema``, of run files, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .command import Addition, plugin_files
    from .schema import json_schema

__all__ = ["Addition", "json_schema", "plugin_files"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from . import command, schema

    return [Command("schema", schema.schema, schema.EXAMPLE), Command("new-plugin", command.new_plugin, command.EXAMPLE)]
