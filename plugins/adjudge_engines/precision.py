"""In which precision a model is loaded and trained where nobody says: bfloat16 on CPUs that multiply it, for models that gain by it."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path as FilePath

from .folder import model_below, safetensors_header, settings_of
from .gguf import gguf_file, weights_in_gguf

INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What Linux calls products of bfloat16 among a CPU's abilities: Intel's and AMD's, Intel's of whole tiles, ARM's."""
GAINS = 64_000_000
"""Weights from which on bfloat16 saves more time than its conversions take: SmolLM2-135M is faster with it, the embedded judge is not."""


@cache
def fast_bfloat16() -> bool:
    """Whether this machine's CPU multiplies bfloat16 by itself; False where it does not tell."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        abilities = (line for line in lines if line.startswith(("flags", "Features")))
        return not INSTRUCTIONS.isdisjoint(next(abilities, "").split())
    return False


def gains_by_bfloat16(model: FilePath) -> bool:
    """Whether a model is large enough, and this CPU fast enough at it, to be computed in bfloat16."""
    return fast_bfloat16() and weights_in(model) >= GAINS


def automatic(model: FilePath, device: str) -> str:
    """What `dtype: auto` stands for on a device: a precision of torch's, or ``auto``, as the weights are stored, packed ones too."""
    packed = settings_of(model).get("quantization_config")
    return "bfloat16" if device == "cpu" and not packed and gains_by_bfloat16(model) else "auto"


def weights_in(model: FilePath) -> int:
    """How many weights a model has, by its files; of adapters, those of the model below."""
    if (file := gguf_file(model)) is not None:
        return weights_in_gguf(file)[0]
    if (below := model_below(model)) is not None:
        return weights_in(below)
    shapes = [tensor["shape"] for file in model.glob("*.safetensors") for tensor in safetensors_header(file).values()]
    return sum(map(prod, shapes))
