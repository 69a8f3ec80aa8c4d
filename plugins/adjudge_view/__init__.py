"""The command ``view``: a local page to look into runs, judgements, tournaments and groups, live, or as a copy to share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .app import make_app
    from .export import export
    from .library import Library

__all__ = ["Library", "export", "make_app"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, view

    return [Command("view", view, EXAMPLE)]
