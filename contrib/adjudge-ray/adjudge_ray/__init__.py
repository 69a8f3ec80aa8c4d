"""Engine and launcher `ray`: what an engine is asked is spread over the nodes of a Ray cluster, each with engines of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Engine, Launcher

    from .engine import RayEngine
    from .launcher import RayLauncher

__all__ = ["RayEngine", "RayLauncher"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_engines() -> list[type[Engine]]:
    """The engine that asks other engines on a cluster."""
    from .engine import RayEngine

    return [RayEngine]


@hookimpl
def register_launchers() -> list[type[Launcher]]:
    """The launcher that has a run's stages ask that engine."""
    from .launcher import RayLauncher

    return [RayLauncher]
