"""The templates of the pages that lie beside the code; every value in them is escaped."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, duration

from .wording import interval, measures, number, percent


def check_libraries(use: str, *libraries: str) -> None:
    """Raise `ConfigError` where a reporter misses one of the libraries that the extra `report` installs."""
    if missing := [library for library in libraries if find_spec(library) is None]:
        raise ConfigError(
            f"reporter {use!r} needs {' and '.join(missing)}, not installed here.\n"
            "  Remedy: pip install 'adjudge[report]', or do without its page ('reporters' in a run file, --out of health)."
        )


def template(name: str) -> Any:
    """A template with the ways of wording numbers as its filters."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(FilePath(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=percent, interval=interval, number=number, duration=duration, measures=measures)
    return environment.get_template(name)
