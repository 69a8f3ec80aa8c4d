"""``adjudge view``: opens runs and what other commands kept in a local page, or writes the page as a copy to share."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Annotated

import typer

EXAMPLE = "Example: adjudge view runs/demo, or: adjudge view runs/demo runs/ranked --export copy"
NEEDED = ("fastapi", "uvicorn")

PathsArgument = Annotated[
    list[FilePath], typer.Argument(metavar="RUN|FOLDER…", help="Runs, what commands kept with --out, .jsonl files, or a folder of these.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = a free one, which is printed.")]
BrowserOption = Annotated[bool, typer.Option("--no-browser", help="Print the address and open nothing.")]
ExportOption = Annotated[FilePath | None, typer.Option("--export", help="Write the page with its data into this folder, and end.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the copy that an earlier --export wrote there.")]
MostOption = Annotated[int, typer.Option("--most", min=0, help="Of an export: judgements of each run at most, by whole problems; 0 = all.")]


def view(
    paths: PathsArgument,
    *,
    port: PortOption = 8484,
    no_browser: BrowserOption = False,
    export: ExportOption = None,
    overwrite: OverwriteOption = False,
    most: MostOption = 10_000,
) -> None:
    """Look into runs: judgements, curves, comparisons, tournaments, groups.

    The page is served to this machine alone, and follows a run that is at work. docs/view.md shows its views and keys.
    """
    from adjudge import ConfigError

    if missing := [name for name in NEEDED if export is None and find_spec(name) is None]:
        raise ConfigError(f"view: {', '.join(missing)} is not installed here.\n  Remedy: pip install 'adjudge[view]', or use --export.")
    from .library import Library

    library = Library(paths)
    if export is not None:
        from .export import export as write

        typer.echo(str(write(library, export, most, lambda text: typer.echo(text, err=True), overwrite=overwrite)))
        return
    from .server import run

    run(library, port, browser=not no_browser)
