"""``adjudge report``: writes a run folder's ``report.html`` again, with the reporter called "html" and its options from that run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: adjudge report runs/demo"


def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")]) -> None:
    """Write report.html of a run folder, complete or not, and print its path."""
    from adjudge import ConfigError, PluginError, Plugins, boundary, read_run_file

    file = folder / "config.yaml"
    if not file.is_file():
        raise ConfigError(f"{folder} is not a run folder: it has no config.yaml.\n  Remedy: give the folder that a run file calls 'out'.")
    plugins = Plugins.load()
    config = read_run_file(file, (), plugins)
    chosen = next((reporter for reporter in config.reporters if reporter.use == "html"), None)
    if chosen is None:
        chosen = read_run_file(file, ["reporters=[html]"], plugins).reporters[0]
    write = getattr(chosen, "write", None)
    if write is None:
        raise PluginError(f"reporter 'html' ({type(chosen).__module__}.{type(chosen).__qualname__}) has no method write(run_folder)")
    with boundary(chosen, "write"):
        typer.echo(str(write(folder)))
