"""vLLM's engine arguments from the options of `vllm`, checked before a model is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError, did_you_mean

from .folder import model_below
from .gguf import gguf_file
from .installed import has

PART = "it is for one of several processes that ask, and here one asks all copies"
OURS = {
    "model": "the model is the run's",
    "tokenizer": "the tokenizer is the model's",
    "skip_tokenizer_init": "texts are made from tokens by adjudge",
    "logprobs_mode": "log-probabilities are those at temperature 1",
    "generation_config": "the judge says how to sample",
    "override_generation_config": "the judge says how to sample",
    "seed": "every prompt has a seed of its own",
    "trust_remote_code": "write engine.trust_remote_code",
    "enable_lora": "write engine.adapter",
    "max_lora_rank": "engine.adapter says it",
    "tensor_parallel_size": "write engine.tensor_parallel",
    "data_parallel_size": "write engine.data_parallel",
    "data_parallel_rank": PART,
    "data_parallel_start_rank": PART,
    "data_parallel_external_lb": PART,
    "data_parallel_hybrid_lb": PART,
    "data_parallel_multi_port_external_lb": PART,
    "dtype": "write engine.dtype",
    "gpu_memory_utilization": "write engine.gpu_memory_utilization",
    "max_model_len": "write engine.max_model_len",
    "enforce_eager": "write engine.eager",
}
"""Arguments that are not to be passed on, and why."""
WITHIN = "vLLM would live in this process, and keep its memory; leave it out, or write mp or ray"
"""Why no ``distributed_executor_backend`` is passed on that is somebody else's launch."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of an adapter that vLLM can be made ready for."""


def not_ours(extra: dict[str, Any]) -> dict[str, Any]:
    """Validates what is to be passed on as it is: nothing that adjudge sets itself."""
    for name, value in extra.items():
        why = WITHIN if value == "external_launcher" else OURS.get(name)
        if why:
            raise ValueError(f"{name!r} cannot be passed on: {why}")
    return extra


def check_vllm_arguments(extra: Iterable[str]) -> None:
    """Raise `ConfigError` for an argument that the installed vLLM does not have; where none is installed, nothing is known."""
    if not extra or not has("vllm"):
        return
    from vllm import EngineArgs

    known = [field.name for field in fields(EngineArgs)]
    for name in extra:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(f"engine.extra.{name}: vLLM has no such engine argument{hint}\n  Remedy: see the fields of vllm.EngineArgs.")


def check_room(longest: int | None, prompts: Iterable[int]) -> None:
    """Raise `ConfigError` where a prompt of so many tokens leaves no room for a judgement in the longest sequence that is asked for."""
    prompt = max(prompts, default=0)
    if longest is not None and prompt >= longest:
        raise ConfigError(
            f"engine.max_model_len: a prompt has {prompt} tokens, and {longest} are for a prompt and its judgement together.\n"
            "  Remedy: raise it by more than judge.max_new_tokens, or leave it out."
        )


def check_installed() -> None:
    """Raise `ConfigError` where vLLM is not installed."""
    if not has("vllm"):
        raise ConfigError("engine: vLLM is not installed here.\n  Remedy: pip install 'adjudge[vllm]', or name the engine hf.")


def of_adapter(folder: FilePath | None) -> dict[str, Any]:
    """What makes vLLM ready for a LoRA adapter; `ConfigError` for a folder that is none."""
    if folder is None:
        return {}
    file = folder / "adapter_config.json"
    try:
        rank = int(json.loads(file.read_text(encoding="utf-8"))["r"])
        return {"enable_lora": True, "max_lora_rank": next(size for size in RANKS if size >= rank)}
    except OSError:
        raise ConfigError(f"engine.adapter: {folder} has no adapter_config.json.\n  Remedy: name a folder that peft saved.") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"engine.adapter: {file} names no rank r.\n  Remedy: save the adapter again with peft.") from None
    except StopIteration:
        raise ConfigError(f"engine.adapter: its rank is {rank}, and vLLM takes up to {RANKS[-1]}.\n  Remedy: merge it.") from None


def apart(model: FilePath, adapter: FilePath | None) -> tuple[FilePath, FilePath | None]:
    """A whole model and the adapter for it: a stage that kept its adapters leaves a folder of them in the place of a model."""
    below = model_below(model)
    if (file := gguf_file(below or model)) is not None:
        raise ConfigError(f"model: {file} is a GGUF file, which is not handed to vLLM here.\n  Remedy: name the engine hf.")
    if below is None:
        return model, adapter
    if adapter is not None:
        raise ConfigError(f"engine.adapter: {model} holds adapters itself, and vLLM takes one.\n  Remedy: leave engine.adapter out.")
    if model_below(below) is not None:
        raise ConfigError(f"model: {model} holds adapters for others in {below}, and vLLM takes one.\n  Remedy: merge those first.")
    return below, model


def content_of(folder: FilePath) -> str:
    """A digest of every file in a folder."""
    import hashlib

    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{file.relative_to(folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()
