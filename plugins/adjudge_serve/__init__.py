"""The command ``serve``: a reward over HTTP, in routes of its own and in what RL frameworks send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl

if TYPE_CHECKING:
    from adjudge import Command

__all__: list[str] = []


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, serve

    return [Command("serve", serve, EXAMPLE)]
