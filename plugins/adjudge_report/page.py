"""The templates of the pages that lie beside the code; every value in them is escaped."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from .wording import duration, interval, measures, number, percent


def template(name: str) -> Any:
    """A template with the ways of wording numbers as its filters."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(FilePath(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=percent, interval=interval, number=number, duration=duration, measures=measures)
    return environment.get_template(name)
