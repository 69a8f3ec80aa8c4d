"""An adapter's framework: one message where it is missing, and a warning where its version is not one that the adapter was tested with."""

from __future__ import annotations

import logging
from importlib import metadata
from importlib.util import find_spec

from adjudge import ConfigError

log = logging.getLogger("adjudge")
_told: set[str] = set()


def tested_with(package: str, versions: str, install: str) -> None:
    """Raise `ConfigError` where `package` is missing, saying how to `install` it; warn, once, outside the tested `versions`.

    `versions` is a specifier such as ``>=0.9,<0.10``. A package without a version, such as a checkout on the path, is taken as it is.
    """
    if find_spec(package) is None:
        raise ConfigError(f"{package} is not installed here.\n  Remedy: {install}.")
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:  # the distribution may have another name, as ms-swift has
        names = metadata.packages_distributions().get(package)
        if not names:
            return
        version = metadata.version(names[0])
    from packaging.specifiers import SpecifierSet

    if package not in _told and not SpecifierSet(versions).contains(version, prereleases=True):
        _told.add(package)
        log.warning("%s %s: this adapter was tested with %s; what it does with another version is not known", package, version, versions)
