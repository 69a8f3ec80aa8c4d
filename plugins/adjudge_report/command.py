"""``adjudge report``: writes a run's ``report.html`` again, or a page about several runs, with the reporter "html" and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

EXAMPLE = "Example: adjudge report runs/demo   or   adjudge report runs/one runs/other --out compared.html"


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The run folder, or several to see beside each other.")],
    out: Annotated[Path | None, typer.Option(help="Where the page of several runs goes; else compared.html beside the first.")] = None,
) -> None:
    """Write report.html of a run folder, complete or not, and print its path; of several runs, one page with all of their curves."""
    from adjudge import ConfigError, PluginError, Plugins, boundary, read_run_file

    for folder in folders:
        if not (folder / "config.yaml").is_file():
            raise ConfigError(
                f"{folder} is not a run folder: it has no config.yaml.\n  Remedy: give the folder that a run file calls 'out'."
            )
    if out is not None and len(folders) == 1:
        raise ConfigError("--out is for the page of several runs; one run's page is report.html in its folder.\n  Remedy: leave --out out.")
    plugins = Plugins.load()
    file = folders[0] / "config.yaml"
    config = read_run_file(file, (), plugins)
    chosen: Any = next((reporter for reporter in config.reporters if reporter.use == "html"), None)
    if chosen is None:
        chosen = read_run_file(file, ["reporters=[html]"], plugins).reporters[0]
    verb = "write" if len(folders) == 1 else "write_several"
    write = getattr(chosen, verb, None)
    if write is None:
        said = "write(run_folder)" if verb == "write" else "write_several(run_folders, file)"
        raise PluginError(f"reporter 'html' ({type(chosen).__module__}.{type(chosen).__qualname__}) has no method {said}")
    with boundary(chosen, verb):
        written = write(folders[0]) if verb == "write" else write(folders, out or folders[0].resolve().parent / "compared.html")
        typer.echo(str(written))
