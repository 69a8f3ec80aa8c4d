"""Arguments and options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "adjudge_arithmetic:model"

Rows = Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines file; - is standard input.", show_default=False)]
Model = Annotated[str, typer.Option("--model", "-m", help="Model folder, or package:folder for one that a package ships.")]
EngineName = Annotated[str, typer.Option("--engine", help="Where completions come from: a name, or YAML with options.")]
OrderName = Annotated[str | None, typer.Option("--order", help="Show pairs in 'random' order, in 'both', or 'fixed', as given.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Every random choice follows from this number.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given many times. List items go by number.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
SkipBadLines = Annotated[bool, typer.Option("--skip-bad-lines", help="Leave out lines that cannot be used, and count them.")]
