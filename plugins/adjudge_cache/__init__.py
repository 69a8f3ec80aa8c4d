"""The engine `cached`: what a model was asked before is not asked again, for any engine that tells what its answers depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Engine

    from .cache import Cache, cache_file
    from .engine import CachedEngine
    from .source import measured_tokens

__all__ = ["Cache", "CachedEngine", "cache_file", "measured_tokens"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_engines() -> list[type[Engine]]:
    from .engine import CachedEngine

    return [CachedEngine]
