"""What completions of an engine and a model depend on, as a digest under which the cache knows them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path as FilePath

from adjudge import ConfigError, Engine, boundary

from .cache import Cache, cache_file, digest
from .engine import CachedEngine


def source_of(engine: Engine, model: FilePath, cache: Cache) -> str | None:
    """A digest of what completions depend on besides prompt, seed and sampling settings; None where the engine does not tell."""
    with boundary(engine, "fingerprint"):
        told = engine.fingerprint()
    if told is None or not cache.usable:
        return None
    kind = type(engine)
    package = kind.__module__.partition(".")[0]  # so that a class may move to another file of its plugin
    try:
        return digest(metadata.version("adjudge"), f"{package}.{kind.__qualname__}", told, cache.folder_digest(model))
    except (OSError, ConfigError):  # a folder that cannot be read is for the engine to tell
        return None


def measured_tokens(engine: Engine, model: FilePath) -> float | None:
    """Mean tokens of what this model has answered so far through this engine, cached or not; None where the cache knows nothing."""
    if not cache_file().exists():
        return None
    cache = Cache(cache_file())
    try:
        source = source_of(engine.engine if isinstance(engine, CachedEngine) else engine, model, cache)
        return None if source is None else cache.mean_tokens(source)
    finally:
        cache.close()
