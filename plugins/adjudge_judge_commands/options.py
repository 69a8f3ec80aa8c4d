"""The options that commands which judge share: each has one name and one meaning in all of them, and in other plugins' commands too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adjudge import DryRunOption, JsonOption

DEFAULT_MODEL = "adjudge_arithmetic:model"

RowsArgument = Annotated[Path, typer.Argument(metavar="FILE", help="File of rows; - is standard input.", show_default=False)]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="Model folder, GGUF file, hub id in the local cache, or package:folder.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Every random choice follows from this number.")]
JudgeOption = Annotated[
    str | None, typer.Option("--judge", help="How to judge: a name, YAML with options, or a .yaml file; else as the model says.")
]
EngineOption = Annotated[str, typer.Option("--engine", help="Where completions come from: a name, YAML with options, or a .yaml file.")]
DataOption = Annotated[
    str | None,
    typer.Option("--data", help="The data: a file of rows, a data set's name, YAML with options, or a .yaml file."),
]
OrderOption = Annotated[str | None, typer.Option("--order", help="Show pairs in 'random' order, in 'both', or 'fixed', as given.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many problems, evenly from all.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for records and result; the same call goes on there.")]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Ask the engine everything anew, and remember nothing.")]

__all__ = [
    "DEFAULT_MODEL", "DataOption", "DryRunOption", "EngineOption", "JsonOption", "JudgeOption", "LimitOption", "ModelOption",
    "NoCacheOption", "OrderOption", "OutOption", "RowsArgument", "SeedOption",
]  # fmt: skip
