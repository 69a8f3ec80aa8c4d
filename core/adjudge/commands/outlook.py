"""The part of ``adjudge plan`` that is about devices: memory phase by phase, time, what was assumed, and the refusal of what cannot fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .plan import Planned, duration, not_here, print_facts, print_plan
from .show import print_table

if TYPE_CHECKING:
    from adjudge.footprint import Bytes, Phase
    from adjudge.hardware import Hardware, Outlook

FITS = {True: "yes", False: "no", None: "perhaps"}
ASSUMED = (
    "Memory: bfloat16 by autocast, gradient and AdamW moments as precise as the weights that are trained unless set otherwise, no whole"
    " matrix of scores or logits; the most has a copy where the libraries may make one, a tenth lost to pieces, and 2 GiB for the driver."
)


def hardware(
    gpus: int | None = None, gpu_memory: float | None = None, tflops: float | None = None, prompt_tokens: int | None = None
) -> Hardware:
    """The devices of a call."""
    from adjudge.config import validate
    from adjudge.hardware import Hardware
    from adjudge.manager import Plugins

    given = {"gpus": gpus, "gpu_memory": gpu_memory, "tflops": tflops, "prompt_tokens": prompt_tokens}
    return validate(Hardware, given, Plugins(), "the call")


def show_outlook(found: Planned, devices: Hardware | None = None, shape: Path | None = None, *, as_json: bool) -> None:
    """Print a run's plan with its memory; raises `ConfigError` at the end where a phase cannot fit the devices."""
    devices = devices or hardware()
    outlook, reason = _outlook(found, devices, shape)
    if as_json:
        memory = None if outlook is None else outlook.to_json(devices.gpu_memory)
        told = {**found.facts, "plan": found.plan.to_json(), "memory": memory, "memory_unknown": reason, "not_here": not_here(found)}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        print_facts(found)
        print_memory(outlook, devices) if outlook else typer.echo(f"memory      unknown: {reason}")
        print_plan(found.plan, not_here(found))
    if outlook and devices.gpu_memory is not None:
        outlook.check(devices.gpu_memory)


def _outlook(found: Planned, devices: Hardware, shape: Path | None) -> tuple[Outlook | None, str | None]:
    """What the run holds, or why nobody can tell; a size that was given and cannot be read is a mistake."""
    from adjudge.errors import ConfigError
    from adjudge.hardware import foresee
    from adjudge.plan import works_of
    from adjudge.shape import find_shape

    job = found.job
    try:
        size = find_shape(job.config.model, job.base, shape)
    except ConfigError as error:
        if shape is not None or devices.gpu_memory is not None:
            raise
        return None, str(error).partition("\n")[0]
    return foresee(job, size, works_of(job, found.train), found.train, devices), None


def print_memory(outlook: Outlook, devices: Hardware) -> None:
    """A line of the model, a row for every phase, and what was assumed."""
    many = f"{outlook.devices} device{'s' * (outlook.devices > 1)}"
    prompt = "counted" if outlook.source == "counted" else f"not counted, up to {outlook.prompt:,} {outlook.source}"
    typer.echo(f"{'size':<11} {outlook.shape.parameters:,} parameters")
    typer.echo(f"{'memory':<11} of each of {many}, for sequences of up to {outlook.sequence:,} tokens (prompts {prompt})")
    columns, rows = ["stage", "phase", "GiB", "of which"], [_cells(phase) for phase in outlook.phases]
    if devices.gpu_memory is not None:
        columns, rows = [*columns, "fits"], [[*_cells(phase), FITS[phase.fits(devices.gpu_memory * 2**30)]] for phase in outlook.phases]
    print_table(columns, rows)
    for stage in outlook.unknown:
        typer.echo(f"Memory of {stage} is unknown: it does not say what it holds.")
    for stage, options in {phase.stage: phase.uncounted for phase in outlook.phases if phase.uncounted}.items():
        typer.echo(f"Memory of {stage} is neither refused nor promised, for this is not counted: {', '.join(options)}.")
    typer.echo(ASSUMED)
    if outlook.training_seconds is not None:
        best, worst = map(duration, outlook.training_seconds)
        typer.echo(f"Training steps take at most {best} to {worst} (half to a fifth of the peak); sampling comes on top.")


def _cells(phase: Phase) -> list[str]:
    return [phase.stage, phase.what, _gib(phase.total), _parts(phase)]


def _parts(phase: Phase) -> str:
    """The parts that matter, largest first."""
    largest = sorted(phase.parts.items(), key=lambda part: -part[1][1])
    return ", ".join(f"{name} {_gib(size)}" for name, size in largest if size[1] >= phase.total[1] / 100)


def _gib(size: Bytes) -> str:
    least, most = (_rounded(end / 2**30) for end in size)
    return least if least == most else f"{least}–{most}"


def _rounded(value: float) -> Any:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
