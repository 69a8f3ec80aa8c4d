"""A model's tokenizer without its weights: of a folder, of a GGUF file, of the model below adapters, or in Mistral's own form."""

from __future__ import annotations

import logging
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .folder import has_tokenizer, model_below
from .gguf import gguf_file, load_gguf_tokenizer
from .installed import require

log = logging.getLogger("adjudge.engines")
TEKKEN = "tekken.json"
TEKKEN_NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
"""What Mistral calls the tokens that every tokenizer of transformers has a name for."""


def read_tokenizer(folder: FilePath, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer; that of the model below where adapters bring none."""
    require("train", "transformers")
    if (file := gguf_file(folder)) is not None:
        return load_gguf_tokenizer(file)
    below = None if has_tokenizer(folder) else model_below(folder)
    if below is not None:
        return read_tokenizer(below, trust_remote_code=trust_remote_code)
    from transformers import AutoTokenizer

    if not (folder / TEKKEN).is_file():
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    # With mistral-common installed, transformers would take another kind of tokenizer, which lacks much of what the others do.
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, mistral_format=False)
    except ImportError:
        raise ConfigError(
            f"model: the {TEKKEN} in {folder} is of an older form, which takes Mistral's own package.\n"
            "  Remedy: pip install mistral-common."
        ) from None
    return _named(tokenizer, folder)


def _named(tokenizer: Any, folder: FilePath) -> Any:
    """A tokenizer of Mistral's file with the names that the file has for tokens; told where nothing says how the model is asked."""
    known = tokenizer.get_added_vocab()
    for name, token in TEKKEN_NAMES.items():
        if getattr(tokenizer, name) is None and token in known:
            setattr(tokenizer, name, token)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = _template(folder)
    if tokenizer.chat_template is None:
        log.warning(
            "model: %s has no chat template beside its %s, so it is asked in plain text; put its chat_template.jinja there, or install"
            " mistral-common, which writes one",
            folder, TEKKEN,
        )  # fmt: skip
    return tokenizer


def _template(folder: FilePath) -> str | None:
    """The chat template that Mistral's own package has for the file; None where it is not installed, or has none."""
    try:
        from mistral_common.integrations.chat_templates.chat_templates import convert_tokenizer_to_chat_template
    except ImportError:
        return None
    try:
        made: str = convert_tokenizer_to_chat_template(folder / TEKKEN)
    except Exception as error:  # other people's files fail in ways of their own; the model is then asked without
        log.warning("model: mistral-common makes no chat template of %s: %s", folder / TEKKEN, error)
        return None
    return made
