"""Loads a model folder: safetensors and never pickles, none of the folder's own Python unless it is allowed, adapters merged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from adjudge import ConfigError

from .folder import check_folder, model_below


def load_model(folder: FilePath, *, trust_remote_code: bool = False, **settings: Any) -> Any:
    """The causal language model in a folder; in a folder of adapters, the model below it with the adapters added to its weights."""
    check_folder(folder)
    below = model_below(folder)
    if below is not None:
        return merge_adapter(load_model(below, trust_remote_code=trust_remote_code, **settings), folder)
    with _own_code_refused(folder):
        return AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, trust_remote_code=trust_remote_code, **settings)


def load_tokenizer(folder: FilePath, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer in a model folder."""
    check_folder(folder)
    with _own_code_refused(folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)


def merge_adapter(model: Any, folder: FilePath) -> Any:
    """The model with these adapters added to its weights."""
    try:
        from peft import PeftModel
    except ImportError:
        raise ConfigError(f"model: {folder} holds adapters, which take peft.\n  Remedy: pip install 'adjudge[peft]'.") from None
    return PeftModel.from_pretrained(model, folder, use_safetensors=True).merge_and_unload()


@contextmanager
def _own_code_refused(folder: FilePath) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ConfigError(
            f"model: {folder} cannot be loaded without Python code of its own, which is not run.\n"
            "  Remedy: read that code; if you trust it, write engine: {use: hf, trust_remote_code: true}."
        ) from None
