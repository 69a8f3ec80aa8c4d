"""How large a model is, told from its ``config.json``, from the headers of its weights, or from its published name, and never loaded.

Counted exactly for dense decoders of the families below, whose layers are attention with grouped keys and values, and a gated MLP
of three matrices. Of other dense decoders the headers give the number of weights.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import prod
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge import ConfigError, Json
from adjudge_engines import context_length, gguf_file, settings_of, weights_in_gguf

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Values of ``model_type`` whose weights are counted from the config."""
STORED = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1}
"""Bytes of a weight by the type that its file names."""
PACKED = ("I32", "U32", "U8")
"""Types of matrices in which several weights are packed into a number, as GPTQ, AWQ and bitsandbytes do."""
PRECISIONS = {"float32": 4, "bfloat16": 2, "float16": 2}
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a decoder layer, by their usual names."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What memory and time follow from; widths are in numbers per token."""

    layers: int
    width: int
    inner: int
    """Width inside the MLP."""
    queries: int
    """Heads x width of a head."""
    keys: int
    """Key-value heads x width of a head; values are as wide."""
    vocabulary: int
    parameters: int
    """Weights, an embedding that is also the head counted once."""
    weight_bytes: float = 2.0
    """Bytes in which a weight is stored, on average."""
    limit: int | None = None
    """Tokens of the longest sequence that it was made for; None = unknown."""

    @property
    def kv_numbers(self) -> int:
        """Numbers that a token leaves in the cache of keys and values."""
        return 2 * self.layers * self.keys

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer's matrices."""
        return sum(rows * columns for rows, columns in self.matrices.values())

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the linear layers of one decoder layer."""
        sizes = (
            (self.width, self.queries), (self.width, self.keys), (self.width, self.keys), (self.queries, self.width),
            (self.width, self.inner), (self.width, self.inner), (self.inner, self.width),
        )  # fmt: skip
        return dict(zip(MATRICES, sizes, strict=True))


def find_model_size(name: str, folder: FilePath, given: FilePath | None = None) -> ModelSize:
    """The size in `given`, a ``config.json``; else of the model folder; else of a published model of this name.

    Raises `ConfigError` where none of them tells.
    """
    if given is not None:
        return model_size_of(_read(given), str(given))
    if folder.exists() and (file := gguf_file(folder)) is not None:
        return model_size_of(settings_of(file), str(file), weights_in_gguf(file))
    if folder.is_dir():
        return model_size_of(_read(folder / "config.json"), str(folder / "config.json"), stored(folder))
    config = published().get(published_name(name) or "")
    if config is None:
        raise ConfigError(
            f"model: {name!r} is not here, and no published size goes by that name ({', '.join(published())}).\n"
            "  Remedy: give its config.json with --shape FILE."
        )
    return model_size_of(config, name)


@cache
def published() -> dict[str, dict[str, Json]]:
    """Fields of ``config.json`` by the names of published models."""
    found: dict[str, dict[str, Json]] = yaml.safe_load(
        resources.files(__package__).joinpath("model_sizes.yaml").read_text(encoding="utf-8")
    )
    return found


def published_name(model: str) -> str | None:
    """The published model that a path ends in, whatever its case; None where there is none."""
    last = model.rstrip("/").rpartition("/")[2].lower()
    return next((name for name in published() if name.lower() == last), None)


def model_size_of(config: Mapping[str, Json], where: str, weights: tuple[int, int] | None = None) -> ModelSize:
    """The size that a ``config.json`` describes; `weights` are the number of stored ones and their bytes, where they are there."""
    family, text = config.get("model_type"), config.get("text_config")
    said = {**config, **(text if isinstance(text, Mapping) else {})}
    if any("expert" in key and isinstance(value, int) and value > 1 for key, value in said.items()):
        raise ConfigError(f"{where}: a mixture of experts; how much memory it takes is not known here.\n  Remedy: plan without GPUs.")
    if family not in FAMILIES and weights is None:
        raise ConfigError(
            f"{where}: models of type {family!r} are counted from their weights, and there are none.\n"
            f"  Remedy: name a folder with *.safetensors, or a model of type {', '.join(FAMILIES)}."
        )
    size = _sizes(config, where)
    parameters, in_bytes = weights or (_counted(config, size), PRECISIONS.get(_precision(config), 2) * _counted(config, size))
    return ModelSize(**size, parameters=parameters, weight_bytes=in_bytes / parameters, limit=context_length(config))


def _precision(config: Mapping[str, Json]) -> str:
    return str(config.get("dtype") or config.get("torch_dtype"))


def _sizes(config: Mapping[str, Json], where: str) -> dict[str, int]:
    heads, width = _whole(config, "num_attention_heads", where), _whole(config, "hidden_size", where)
    head = _whole({"head_dim": config.get("head_dim") or width // heads}, "head_dim", where)
    keys = _whole({"num_key_value_heads": config.get("num_key_value_heads") or heads}, "num_key_value_heads", where)
    return {
        "layers": _whole(config, "num_hidden_layers", where), "width": width, "inner": _whole(config, "intermediate_size", where),
        "queries": heads * head, "keys": keys * head, "vocabulary": _whole(config, "vocab_size", where),
    }  # fmt: skip


def _whole(config: Mapping[str, Json], name: str, where: str) -> int:
    """A field that has to be a whole number above 0."""
    if name not in config:
        raise ConfigError(f"{where}: has no {name!r}, without which a model's size is unknown.\n  Remedy: see that it is whole.")
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{where}: has {name} {value!r}, which is no whole number above 0.\n  Remedy: see that it is whole.")
    return value


def _counted(config: Mapping[str, Json], size: Mapping[str, int]) -> int:
    """Weights of a model of one of the families, biases and norms included."""
    bare = ModelSize(**size, parameters=0)
    tied = config.get("tie_word_embeddings", config["model_type"] == "gemma")
    norms = 2 * bare.width + (2 * bare.queries // config["num_attention_heads"] if config["model_type"] == "qwen3" else 0)
    layer = bare.layer_parameters + norms + sum(bare.matrices[name][1] for name in _biased(config))
    return (1 if tied else 2) * bare.vocabulary * bare.width + bare.layers * layer + bare.width


def _biased(config: Mapping[str, Json]) -> Iterator[str]:
    """The linear layers with a bias."""
    if config["model_type"] == "qwen2":
        yield from MATRICES[:3]
    elif config.get("attention_bias"):
        yield from MATRICES[:4]
    if config["model_type"] == "llama" and config.get("mlp_bias"):
        yield from MATRICES[4:]


def stored(folder: FilePath) -> tuple[int, int] | None:
    """Number and bytes of the weights in a folder's safetensors files, read from their headers; None where there are none.

    Raises `ConfigError` where a file is broken, or holds weights that are packed.
    """
    tensors = [(file, tensor) for file in _weight_files(folder) for tensor in _header(file)]
    for file, tensor in tensors:
        if tensor["dtype"] in PACKED and len(tensor["shape"]) > 1:
            raise ConfigError(
                f"{file}: has weights that are packed into {tensor['dtype']}, of which a header does not tell how many there are.\n"
                "  Remedy: plan with --shape and the config.json of the model that was quantised."
            )
    counts = [prod(tensor["shape"]) for _, tensor in tensors]
    if not counts:
        return None
    return sum(counts), sum(count * STORED.get(tensor["dtype"], 2) for count, (_, tensor) in zip(counts, tensors, strict=True))


def _weight_files(folder: FilePath) -> list[FilePath]:
    """The files that transformers loads: those that the index names, or the only one; others may hold the same weights again."""
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if single.is_file():
        return [single]
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    named = _read(index).get("weight_map")
    if not isinstance(named, dict):
        raise ConfigError(f"{index}: has no 'weight_map' that names files.\n  Remedy: copy the model again.")
    return [folder / str(name) for name in sorted(set(named.values()), key=str)]


def _header(file: FilePath) -> list[dict[str, Any]]:
    """What a safetensors file says about each tensor: eight bytes of length, then that much JSON."""
    try:
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            header = json.loads(data.read(min(length, 100_000_000)))
        return [tensor for name, tensor in header.items() if name != "__metadata__"]
    except (OSError, ValueError, struct.error) as error:
        raise ConfigError(f"{file}: is no safetensors file: {error}.\n  Remedy: copy the model again.") from None


def _read(file: FilePath) -> dict[str, Json]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file.\n  Remedy: name a folder saved by transformers, or a config.json.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{file}: is a {type(config).__name__}, not an object.\n  Remedy: give a config.json of transformers.")
    return config
