"""Writes a health report as a page, with the reporter called "html"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import PluginError, Plugins, Reporter, boundary, validate

Write = Callable[[Mapping[str, Any]], FilePath]


def page_writer(file: FilePath) -> Write:
    """Writes a report to this file; raises at once where nothing can."""
    chosen = validate(Reporter, {"use": "html"}, Plugins.load(), "--out")
    write_health = getattr(chosen, "write_health", None)
    if write_health is None:
        raise PluginError(
            f"reporter 'html' ({type(chosen).__module__}.{type(chosen).__qualname__}) has no method write_health(report, file).\n"
            "  Remedy: leave --out away, or use the reporter that comes with adjudge."
        )

    if check := getattr(chosen, "check", None):
        with boundary(chosen, "check"):
            check()

    def write(report: Mapping[str, Any]) -> FilePath:
        with boundary(chosen, "write_health"):
            return FilePath(write_health(report, file))

    return write
