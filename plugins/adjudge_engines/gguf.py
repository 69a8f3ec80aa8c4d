"""GGUF files, llama.cpp's form of a model: which one a name means, what it says of itself, and how transformers loads it whole.

Weights are dequantised, for transformers neither saves nor trains packed ones. Three things that transformers 5.23 leaves behind are
added: the split of texts that the file names, scaled rotary positions, and the token that ends a turn.
"""

from __future__ import annotations

import logging
import re
from math import prod
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .installed import require

log = logging.getLogger("adjudge.engines")
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
DIGITS_APART = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"}
"""Splits of texts, by the names that llama.cpp gives them, that are GPT-2's with every digit by itself."""
AS_GPT2 = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "mellum", "granite-docling", "roberta-bpe", "gigachat"}
"""Those that are GPT-2's, as transformers takes every split that it does not know."""
SETTINGS = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "expert_count": "num_experts",
}
"""What a file calls the fields of a ``config.json``."""


def gguf_file(model: FilePath) -> FilePath | None:
    """The GGUF file that a model is: the file itself, or the only one in a folder without other weights; None for other models."""
    if model.is_file():
        return model
    if any(model.glob("*.safetensors")) or (model / "adapter_config.json").is_file():
        return None
    files = [file for file in sorted(model.glob("*.gguf")) if not file.name.startswith("mmproj")]
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:8])
        raise ConfigError(f"model: {model} has {len(files)} GGUF files ({names}).\n  Remedy: name one: model: {files[0]}.")
    return files[0] if files else None


def check_gguf(file: FilePath) -> None:
    """Raise `ConfigError` for a file that is none of this form, is cut short, or is a part of one."""
    if PART.search(file.name):
        raise ConfigError(f"model: {file} is one of several parts.\n  Remedy: join them first: llama-gguf-split --merge {file} whole.gguf.")
    header, size = _header(file), file.stat().st_size
    end = header.data_start + max((info.offset + info.nbytes for info in header.tensors), default=0)
    if not header.tensors or end > size:
        raise ConfigError(f"model: {file} is cut short: it has {size:,} of {end:,} bytes.\n  Remedy: copy or download it again.")


def settings_in_gguf(file: FilePath) -> dict[str, Any]:
    """What the file says of its model, under the names that a ``config.json`` has for it."""
    said = _metadata(file)
    family = said["general.architecture"]
    found = {name: said[f"{family}.{key}"] for key, name in SETTINGS.items() if f"{family}.{key}" in said}
    tied = all(info.name != "output.weight" for info in _header(file).tensors)
    found |= {"model_type": family, "vocab_size": said.get("tokenizer.ggml.tokens"), "tie_word_embeddings": tied}
    if scaling := _scaling(said, family):
        found["rope_parameters"] = scaling
    return found


def weights_in_gguf(file: FilePath) -> tuple[int, int]:
    """Number of the weights, and the bytes that they take once they are dequantised."""
    count = sum(prod(info.shape) for info in _header(file).tensors)
    return count, 4 * count


def load_gguf(file: FilePath, **settings: Any) -> tuple[Any, Any]:
    """The causal language model in a file, dequantised, and what transformers says of its weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, GgufConfig

    check_gguf(file)
    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    if (scaling := _scaling(_metadata(file), _metadata(file)["general.architecture"])) or _has(file, "rope_freqs.weight"):
        config.rope_parameters = {**(config.rope_parameters or {}), **scaling, **_llama3(file, config)}
    unpacked = GgufConfig(dequantize=True)
    model, info = AutoModelForCausalLM.from_pretrained(
        file.parent, config=config, gguf_file=file.name, quantization_config=unpacked, output_loading_info=True, **settings
    )
    _add_end_of_turn(model.generation_config, _metadata(file).get("tokenizer.ggml.eot_token_id"))
    model.config.name_or_path = str(file)
    return model, info


def load_gguf_tokenizer(file: FilePath) -> Any:
    """The tokenizer in a file, which splits texts as llama.cpp does; a warning in the log where that split is unknown."""
    from tokenizers import pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    check_gguf(file)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(file.parent, gguf_file=file.name)
    backend, name = tokenizer.backend_tokenizer, _metadata(file).get("tokenizer.ggml.pre")
    if not isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel) or name in AS_GPT2:
        return tokenizer  # a split that transformers knows, or texts that are not split
    if name in DIGITS_APART:
        digits, rest = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
        return tokenizer
    log.warning(
        "model: how %s splits texts before it makes tokens of them (%s) is not known here; numbers, lists and tables may become other"
        " tokens than in llama.cpp. Where that matters, name the model's own folder, with its tokenizer.json",
        file, name or "not named",
    )  # fmt: skip
    return tokenizer


def _scaling(said: dict[str, Any], family: str) -> dict[str, Any]:
    """How a file stretches rotary positions, as a ``config.json`` says it; empty where it does not."""
    kind = said.get(f"{family}.rope.scaling.type", "none")
    factor = said.get(f"{family}.rope.scaling.factor", said.get(f"{family}.rope.scale_linear"))
    if kind not in ("linear", "yarn") or not factor:
        return {}
    first = said.get(f"{family}.rope.scaling.original_context_length")
    found = {"rope_type": kind, "factor": float(factor), "original_max_position_embeddings": first}
    return {name: value for name, value in found.items() if value is not None}


def _llama3(file: FilePath, config: Any) -> dict[str, Any]:
    """Rotary positions of Llama 3.1 and later, of which a file holds the outcome alone: a divisor for every frequency.

    Raises `ConfigError` for other divisors: transformers would leave them out, and read long texts wrongly.
    """
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    if not _has(file, "rope_freqs.weight"):
        return {}
    from transformers.integrations.gguf import load_gguf_state_dict

    divisor_D = load_gguf_state_dict(_header(file))["rope_freqs.weight"][...].float()
    made = {"rope_type": "llama3", "factor": float(divisor_D.max()), "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}  # fmt: skip
    trial = type(config)(**{**config.to_dict(), "rope_parameters": {**(config.rope_parameters or {}), **made}})
    scaled_D, _ = ROPE_INIT_FUNCTIONS["llama3"](trial, torch.device("cpu"))
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    plain_D = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, head, 2).float() / head)
    if plain_D.shape != divisor_D.shape or not torch.allclose(plain_D / divisor_D, scaled_D, rtol=1e-3):
        raise ConfigError(f"model: {file} has rotary positions that are not read here.\n  Remedy: name the model's own folder.")
    return made


def _has(file: FilePath, *names: str) -> bool:
    return any(info.name in names for info in _header(file).tensors)


def _add_end_of_turn(generation: Any, token: int | None) -> None:
    """Let a turn end as it does in llama.cpp: a file may name a token for it besides the end of a text."""
    ends = generation.eos_token_id
    listed = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if token is not None and token not in listed:
        generation.eos_token_id = [*listed, token]


def _metadata(file: FilePath) -> dict[str, Any]:
    _header(file)
    from transformers.integrations.gguf import read_gguf_metadata

    found: dict[str, Any] = read_gguf_metadata(str(file))[0]
    return found


def _header(file: FilePath) -> Any:
    """Names, shapes and places of a file's weights; `ConfigError` where it cannot be read."""
    require("gguf", "torch", "transformers", "gguf")
    try:
        from transformers.integrations.gguf import GgufHeader
    except ImportError:
        raise ConfigError(
            "model: GGUF files take transformers 5.23 or newer.\n  Remedy: update it: pip install -U 'adjudge[gguf]'."
        ) from None
    import struct

    try:
        return GgufHeader.from_file(str(file))
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise ConfigError(f"model: {file} cannot be read as a GGUF file: {error}\n  Remedy: copy or download it again.") from None
