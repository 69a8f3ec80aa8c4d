"""Other people's packages: which versions are installed, as fingerprints hold them, and what to do where one is missing."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

from adjudge import ConfigError


def has(package: str) -> bool:
    """Whether a package is installed; a folder of its name beside a script, which Python would import too, is none."""
    return (spec := find_spec(package)) is not None and spec.origin is not None


def require(extra: str, *packages: str) -> None:
    """Raise `ConfigError` for a package that is missing, with the extra of adjudge that brings it."""
    for package in packages:
        if not has(package):
            raise ConfigError(f"engine: {package} is not installed here.\n  Remedy: pip install 'adjudge[{extra}]'.")


def versions_of(*distributions: str) -> dict[str, str | None]:
    """The installed version of each distribution by its name; None where it is not installed."""
    return {name: _version(name) for name in distributions}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
