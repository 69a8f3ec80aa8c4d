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
NoCache = Annotated[bool, typer.Option("--no-cache", help="Ask the engine everything anew, and remember nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and do nothing.")]
Speed = Annotated[float | None, typer.Option("--tokens-per-second", help="Plan: tokens written in a second, all judgements together.")]
PriceIn = Annotated[float | None, typer.Option("--price-in", help="Plan: price of a million tokens of prompts, in any currency.")]
PriceOut = Annotated[float | None, typer.Option("--price-out", help="Plan: price of a million tokens that the judge writes.")]
Gpus = Annotated[int | None, typer.Option("--gpus", help="Plan: devices, all machines together.")]
GpuMemory = Annotated[float | None, typer.Option("--gpu-memory", help="Plan: GiB of one device; what cannot fit is refused.")]
Tflops = Annotated[float | None, typer.Option("--tflops", help="Plan: peak of one device in bfloat16, 10^12 operations a second.")]
PromptTokens = Annotated[int | None, typer.Option("--prompt-tokens", help="Plan: tokens of the longest prompt, where none can be counted.")]
ProblemCount = Annotated[
    int | None, typer.Option("--problems", min=1, help="Plan: how many problems there are, where the data are not here.")
]
ShapeFile = Annotated[Path | None, typer.Option("--shape", help="Plan: config.json of a model that is not here.")]
RunFile = Annotated[Path, typer.Argument(metavar="FILE", help="The run file, in YAML.")]
