"""Arguments and options of commands, so that those which share one call it and explain it alike; a plugin's commands take them too."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "adjudge_arithmetic:model"

RowsArgument = Annotated[Path, typer.Argument(metavar="FILE", help="File of rows; - is standard input.", show_default=False)]
RunFileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The run file, in YAML.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="Model folder, or package:folder for one that a package ships.")]
EngineOption = Annotated[str, typer.Option("--engine", help="Where completions come from: a name, or YAML with options.")]
JudgeOption = Annotated[str | None, typer.Option("--judge", help="How to judge: a name, or YAML with options; else as the model says.")]
OrderOption = Annotated[str | None, typer.Option("--order", help="Show pairs in 'random' order, in 'both', or 'fixed', as given.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Every random choice follows from this number.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given many times. List items go by number.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
SkipBadLinesOption = Annotated[bool, typer.Option("--skip-bad-lines", help="Leave out lines that cannot be used, and count them.")]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Ask the engine everything anew, and remember nothing.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and do nothing.")]
SpeedOption = Annotated[
    float | None, typer.Option("--tokens-per-second", min=1e-9, help="Plan: tokens written in a second, all judgements together.")
]
PriceInOption = Annotated[float | None, typer.Option("--price-in", min=0, help="Plan: price of a million prompt tokens, in any currency.")]
PriceOutOption = Annotated[float | None, typer.Option("--price-out", min=0, help="Plan: price of a million tokens that the judge writes.")]
