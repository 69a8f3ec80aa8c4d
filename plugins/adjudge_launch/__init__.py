"""Launcher `accelerate`: a stage's training and evaluation in several processes, on one machine or more, through ``accelerate launch``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Launcher

    from .accelerate import AccelerateLauncher
    from .process_group import FolderProcessGroup
    from .stage import LaunchedStage
    from .task import do_task

__all__ = ["AccelerateLauncher", "FolderProcessGroup", "LaunchedStage", "do_task"]

__getattr__ = lazy_names(__name__)


@hookimpl
def register_launchers() -> Iterable[type[Launcher]]:
    from .accelerate import AccelerateLauncher

    return [AccelerateLauncher]
