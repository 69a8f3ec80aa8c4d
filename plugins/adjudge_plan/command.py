"""``adjudge plan``: what a run file would take, told before its first call and without doing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adjudge import JsonOption, PriceInOption, PriceOutOption, RunFileArgument, SetOption, SkipBadLinesOption, SpeedOption

if TYPE_CHECKING:
    from adjudge import Run, RunConfig

EXAMPLE = "Example: adjudge plan docs/runs/demo.yaml --tokens-per-second 2000"
GpusOption = Annotated[int | None, typer.Option("--gpus", help="Plan: devices, all machines together.")]
GpuMemoryOption = Annotated[float | None, typer.Option("--gpu-memory", help="Plan: GiB of one device; what cannot fit is refused.")]
TflopsOption = Annotated[float | None, typer.Option("--tflops", help="Plan: peak of one device in bfloat16, 10^12 operations a second.")]
PromptTokensOption = Annotated[
    int | None, typer.Option("--prompt-tokens", help="Plan: tokens of the longest prompt, where none can be counted.")
]
ProblemsOption = Annotated[
    int | None, typer.Option("--problems", min=1, help="Plan: how many problems there are, where the data are not here.")
]
ModelSizeOption = Annotated[Path | None, typer.Option("--shape", help="Plan: config.json of a model that is not here.")]


def plan(
    file: RunFileArgument,
    *,
    sets: SetOption = None,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    gpus: GpusOption = None,
    gpu_memory: GpuMemoryOption = None,
    tflops: TflopsOption = None,
    prompt_tokens: PromptTokensOption = None,
    problems: ProblemsOption = None,
    size_file: ModelSizeOption = None,
    skip_bad_lines: SkipBadLinesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a run file would take: judgements, optimiser steps, tokens, memory and, at given rates, time and cost.

    Everything that is here is checked and nothing is done. A model of known size may be on another machine, and its data with it.
    "Likely" tokens need a measured length: that of judgements in the run folder, once the first stage is complete. Time is that of
    writing tokens, and with --tflops of training steps; loading models comes on top.
    """
    from adjudge import Plugins, validate

    from .hardware import Hardware
    from .plan import rates
    from .run_plan import RunPlan, show_run_plan

    known = rates(tokens_per_second, price_in, price_out)
    given = {"gpus": gpus, "gpu_memory": gpu_memory, "tflops": tflops, "prompt_tokens": prompt_tokens}
    hardware = validate(Hardware, given, Plugins(), "the call")
    run = read_run(file, sets, skip_bad_lines=skip_bad_lines, config_file=size_file)
    show_run_plan(RunPlan.of(run, known, problems), hardware, size_file, as_json=as_json)


def read_run(file: Path, sets: Sequence[str] | None, *, skip_bad_lines: bool, config_file: Path | None = None) -> Run:
    """The run that a call describes, to be planned alone: its model may be on another machine where its size is known.

    That is where its name is a published one, or its ``config.json`` is given.
    """
    from adjudge import ConfigError, Plugins, Run, find_model, read_run_file

    from .model_size import published_name

    plugins = Plugins.load()
    config = read_run_file(file, sets or (), plugins)
    if skip_bad_lines:
        config = _tolerant(config)
    known = config_file is not None or published_name(config.model) is not None
    absent = False
    try:
        find_model(config.model)
    except ConfigError as error:
        absent = known and not Path(config.model).exists()
        if not absent:
            raise ConfigError(f"{error} To plan for a model that is elsewhere: adjudge plan --shape FILE, its config.json.") from None
    return Run(config, plugins, absent=absent)


def _tolerant(config: RunConfig) -> RunConfig:
    """The same run on data sets that leave out what cannot be used."""
    sets = {name: dataset.tolerant() for name, dataset in config.evaluation.sets.items()}
    return config.model_copy(update={"data": config.data.tolerant(), "evaluation": config.evaluation.model_copy(update={"sets": sets})})
