"""Options of LoRA (2106.09685) and QLoRA (2305.14314); which matrices get adapters and how they start is left to peft."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from adjudge import Options


class Lora(Options):
    """Low-rank adapters are trained in the place of the model's own weights, through peft."""

    r: Annotated[int, Field(gt=0)] = 16
    """Rank of an adapter."""
    alpha: Annotated[float, Field(gt=0)] = 32.0
    """Scale: an adapter's output is multiplied by alpha / r."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an adapter's inputs that are left out in training."""
    target_modules: str | list[str] = "all-linear"
    """Which modules get adapters, by the ends of their names, or as a pattern; ``all-linear`` = every linear layer but the head,
    and a warning names those that peft leaves out of a model of experts."""
    quantised: bool = False
    """QLoRA: the model's own weights are held in 4 bits (NF4) while adapters are trained; takes bitsandbytes."""
    merge: bool = True
    """Add the adapters to the model's weights at the end, so that the stage's model is a whole one; else it is a folder with adapters
    that names the folder of the model below."""
