"""Tries every installed judge on a model, and says which one it can follow: the ``doctor`` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .pairs import PAIRS
    from .trial import Trial, recommended, tried

__all__ = ["PAIRS", "Trial", "recommended", "tried"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, doctor

    return [Command("doctor", doctor, EXAMPLE)]
