"""A judge's rankings and verdicts as training data: rows in the formats of RL and preference trainers, and the command `adjudge export`.

docs/export.md has every format, and says which of them was read back by its framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .formats import FORMATS
    from .pairs import Preference, Rules, preferences
    from .sources import Ranked, read_ranked

__all__ = ["FORMATS", "Preference", "Ranked", "Rules", "preferences", "read_ranked"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, export

    return [Command("export", export, EXAMPLE)]
