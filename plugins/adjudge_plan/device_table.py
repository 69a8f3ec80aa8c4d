"""The table of a run's memory: its phases on a device, whether each of them fits, and what was assumed."""

from __future__ import annotations

import typer

from adjudge import duration, print_table

from .hardware import DeviceTable, Hardware
from .memory import GIB, Bytes, Phase

FITS = {True: "yes", False: "no", None: "perhaps"}
ASSUMED = (
    "Memory: bfloat16 by autocast, gradient and AdamW moments as precise as the weights that are trained unless set otherwise, no whole"
    " matrix of scores or logits; the most has a copy where the libraries may make one, a tenth lost to pieces, and 2 GiB for the driver."
)


def print_memory(table: DeviceTable, hardware: Hardware) -> None:
    """A line of the model, a row for every phase, and what was assumed."""
    many = f"{table.devices} device{'s' * (table.devices > 1)}"
    prompt = "counted" if table.source == "counted" else f"not counted, up to {table.prompt:,} {table.source}"
    typer.echo(f"{'size':<11} {table.model.parameters:,} parameters")
    typer.echo(f"{'memory':<11} of each of {many}, for sequences of up to {table.sequence:,} tokens (prompts {prompt})")
    columns, rows = ["stage", "phase", "GiB", "of which"], [_cells(phase) for phase in table.phases]
    if hardware.gpu_memory is not None:
        columns, rows = [*columns, "fits"], [[*_cells(phase), FITS[phase.fits(hardware.gpu_memory * GIB)]] for phase in table.phases]
    print_table(columns, rows)
    for stage in table.unknown:
        typer.echo(f"Memory of {stage} is unknown: it does not say what it holds.")
    for stage, options in {phase.stage: phase.uncounted for phase in table.phases if phase.uncounted}.items():
        typer.echo(f"Memory of {stage} is neither refused nor promised, for this is not counted: {', '.join(options)}.")
    typer.echo(ASSUMED)
    if table.training_seconds is not None:
        best, worst = map(duration, table.training_seconds)
        typer.echo(f"Training steps take at most {best} to {worst} (half to a fifth of the peak); sampling comes on top.")


def _cells(phase: Phase) -> list[str]:
    return [phase.stage, phase.what, _gib(phase.total), _parts(phase)]


def _parts(phase: Phase) -> str:
    """The parts that matter, largest first."""
    largest = sorted(phase.parts.items(), key=lambda part: -part[1][1])
    return ", ".join(f"{name} {_gib(size)}" for name, size in largest if size[1] >= phase.total[1] / 100)


def _gib(size: Bytes) -> str:
    least, most = (_rounded(end / GIB) for end in size)
    return least if least == most else f"{least}–{most}"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
