"""Whether the weights in a model's files are those that the model has: transformers and peft fill what is missing with random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

SHOWN = 5
OLD_BUFFERS = ("attn.bias", "attn.masked_bias", "attention.bias", "attention.masked_bias", "rotary_emb.inv_freq", "rotary_emb.cos_cached",
               "rotary_emb.sin_cached", "position_ids")  # fmt: skip
"""Ends of names under which older versions of transformers saved what models compute by themselves."""


def check_loaded(folder: FilePath, model: Any, info: Mapping[str, Any]) -> None:
    """Raise `ConfigError` where weights are missing, unknown or of another shape, by what transformers found while it loaded the model.

    What is computed rather than learned, and a head that is tied to the embedding, need not be there.
    """
    computed = [name for name, _ in model.named_non_persistent_buffers()] if hasattr(model, "named_non_persistent_buffers") else []
    unknown = [name for name in info["unexpected_keys"] if not _is_buffer(name, computed)]
    shapes = [f"{name} ({_shape(found)} in the file, {_shape(expected)} in the model)" for name, found, expected in info["mismatched_keys"]]
    refuse(folder, missing=info["missing_keys"], unknown=unknown, shapes=shapes)


def check_adapter(folder: FilePath, model: Any, *, alone: bool = False) -> None:
    """Raise `ConfigError` where the weights in a folder of adapters are not those of the adapters that peft has put on the model.

    Weights of the model below may be there as well, such as an embedding that grew, unless it has to be adapters `alone`.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        found = set(file.keys())
    of_base = {f"base_model.model.{name.removeprefix('base_model.model.')}" for name in model.state_dict()}
    refuse(folder, missing=expected - found, unknown=found - expected - of_base, shapes=())
    if alone and (more := sorted(found - expected)):
        raise ConfigError(
            f"model: the adapters in {folder} come with weights of the model below ({_listed(more)}), which this engine does not take.\n"
            "  Remedy: name the engine hf, or merge the adapters into the model first."
        )


def refuse(folder: FilePath, *, missing: Iterable[str], unknown: Iterable[str], shapes: Iterable[str]) -> None:
    """Raise `ConfigError` that lists the weights; nothing where all is well."""
    kinds = {
        "missing, and would be random": sorted(missing),
        "in the file, and not of this model": sorted(unknown),
        "of another shape": sorted(shapes),
    }
    told = [f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds.items() if names]
    if told:
        absent, extra, _ = kinds.values()
        raise ConfigError(
            f"model: the weights in {folder} are not those of its model:\n    " + "\n    ".join(told) + _remedy(absent, extra)
        )


def _remedy(missing: list[str], unknown: list[str]) -> str:
    prefix = unknown[0].removesuffix(min(missing, key=lambda name: not unknown[0].endswith(name))) if missing and unknown else ""
    if prefix and prefix != unknown[0] and all(name.startswith(prefix) for name in unknown):
        return f"\n  Remedy: their names begin with {prefix!r}, as a wrapper of the model has it; save the model that was wrapped."
    if any(name.startswith("lm_head") for name in missing):
        return '\n  Remedy: save the whole model again; if its head is its embedding, write "tie_word_embeddings": true in config.json.'
    return "\n  Remedy: copy the whole model again, or save it again with model.save_pretrained(FOLDER); see that config.json is its own."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _shape(size: Iterable[int]) -> str:
    return "x".join(map(str, size))


def _is_buffer(name: str, computed: Iterable[str]) -> bool:
    return name.endswith(OLD_BUFFERS) or any(buffer.endswith(name) or name.endswith(buffer) for buffer in computed)
