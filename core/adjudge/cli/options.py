"""Arguments and options of commands, so that those which share one call it and explain it alike; a plugin's commands take them too."""

from pathlib import Path
from typing import Annotated

import typer

RunFileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The run file, in YAML.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given many times. List items go by number.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
SkipBadLinesOption = Annotated[bool, typer.Option("--skip-bad-lines", help="Leave out lines that cannot be used, and count them.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and do nothing.")]
SpeedOption = Annotated[
    float | None, typer.Option("--tokens-per-second", min=1e-9, help="Plan: tokens written in a second, all judgements together.")
]
PriceInOption = Annotated[float | None, typer.Option("--price-in", min=0, help="Plan: price of a million prompt tokens, in any currency.")]
PriceOutOption = Annotated[float | None, typer.Option("--price-out", min=0, help="Plan: price of a million tokens that the judge writes.")]
