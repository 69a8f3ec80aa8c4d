"""Loads a model: safetensors or GGUF and never pickles, none of the folder's own Python unless it is allowed, adapters merged in.

Whatever opens a model's weights here comes through `load_model`, `load_headed` or `merge_adapter`, so weights that are missing are refused
for all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM

from adjudge import ConfigError

from .chat_template import set_chat_template
from .checked_weights import check_adapter, check_loaded
from .folder import check_folder, model_below, settings_of
from .gguf import gguf_file, load_gguf
from .tokenizer import read_tokenizer

TRUSTING = "read that code; if you trust it, write engine: {use: hf, trust_remote_code: true}."
NOT_RUN = "no code of the folder is run here; name a model that transformers has a class for."
"""What to do about a model that has Python code of its own, where an option lets it run and where none does."""


def load_model(folder: FilePath, *, trust_remote_code: bool = False, **settings: Any) -> Any:
    """The causal language model in a folder or GGUF file; for adapters, the model below them with the adapters added to its weights.

    Raises `ConfigError` where its files do not hold exactly its weights.
    """
    check_folder(folder)
    below = model_below(folder)
    if below is not None:
        return merge_adapter(load_model(below, trust_remote_code=trust_remote_code, **settings), folder)
    if "quantization_config" in settings and (gguf_file(folder) or settings_of(folder).get("quantization_config")):
        raise ConfigError(f"model: {folder} is quantised already.\n  Remedy: leave quantisation out, or name the model it was made of.")
    if (file := gguf_file(folder)) is not None:
        model, info = load_gguf(file, **settings)
    else:
        with _refused(folder):
            model, info = AutoModelForCausalLM.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=trust_remote_code, output_loading_info=True, ignore_mismatched_sizes=True,
                **settings,
            )  # fmt: skip
    check_loaded(folder, model, info)
    return model


def load_headed(folder: FilePath, kind: Any, where: str) -> Any:
    """The model in a folder as another of transformers' classes, such as one with a head that scores; what it has no place for is left out.

    `kind` is one of transformers' auto classes, `where` names the option. Raises `ConfigError` where some of its weights are missing."""
    with _refused(folder, f"{where}: {NOT_RUN}"):
        try:
            model, info = kind.from_pretrained(
                folder, dtype="auto", use_safetensors=True, trust_remote_code=False, output_loading_info=True, ignore_mismatched_sizes=True
            )
        except OSError as error:
            raise ConfigError(
                f"{where}: {folder} has no weights of its model as safetensors: {str(error).splitlines()[0]}\n"
                "  Remedy: convert them; weights in pickles, such as pytorch_model.bin, are not read."
            ) from None
    missing = [name for name in info["missing_keys"] if not name.startswith("pooler.")]  # which no head here reads
    check_loaded(folder, model, {**info, "missing_keys": missing, "unexpected_keys": ()})
    return model


def headed_config(folder: FilePath, where: str) -> Any:
    """transformers' configuration of a whole model in a folder. Raises `ConfigError` for anything else."""
    check_folder(folder)
    if gguf_file(folder) or model_below(folder) is not None:
        raise ConfigError(
            f"{where}: {folder} is no folder of a whole model.\n  Remedy: merge adapters into their model; of GGUF files no head is read."
        )
    with _refused(folder, f"{where}: {NOT_RUN}"):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def check_weights(folder: FilePath, adapter: FilePath | None = None, *, trust_remote_code: bool = False) -> None:
    """Raise `ConfigError` where a folder's files, or an adapter's for it, do not hold exactly what they should; no weight is loaded.

    For engines that load models themselves. Of weights that are stored quantised, and of a model that is not transformers' own, only
    the engine knows which there are.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    check_folder(folder)
    with _refused(folder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or getattr(config, "quantization_config", None) is not None:
        return
    model = load_model(folder, trust_remote_code=trust_remote_code, device_map={"": "meta"})
    if adapter is not None and find_spec("peft") is not None:
        from peft import PeftConfig, get_peft_model

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a base that goes by another name here
            check_adapter(adapter, get_peft_model(model, PeftConfig.from_pretrained(adapter)), alone=True)


def load_tokenizer(folder: FilePath, *, trust_remote_code: bool = False, chat: object = None) -> Any:
    """The tokenizer of a model that is there; adapters without one have that of the model below.

    `chat` is an engine, whose `chat_template` and `chat_template_kwargs`, if it has such options, become part of it.
    """
    check_folder(folder)
    with _refused(folder):
        tokenizer = read_tokenizer(folder, trust_remote_code=trust_remote_code)
    set_chat_template(tokenizer, getattr(chat, "chat_template", None), getattr(chat, "chat_template_kwargs", {}))
    return tokenizer


def merge_adapter(model: Any, folder: FilePath) -> Any:
    """The model with these adapters added to its weights; embeddings that grew while the adapters were trained come with them."""
    try:
        from peft import PeftModel
    except ImportError:
        raise ConfigError(f"model: {folder} holds adapters, which take peft.\n  Remedy: pip install 'adjudge[peft]'.") from None
    _grow(model, folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found missing adapter keys")  # they are refused below
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)  # of peft's own asking
        wrapped = PeftModel.from_pretrained(model, folder, use_safetensors=True)
    check_adapter(folder, wrapped)
    return wrapped.merge_and_unload()


def _grow(model: Any, folder: FilePath) -> None:
    """Give the model as many tokens as the adapters' own embedding has, which peft then loads into it."""
    from safetensors import safe_open

    embedding = model.get_input_embeddings()
    name = next(name for name, module in model.named_modules() if module is embedding)
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        keys = list(file.keys())
        own = [key for key in keys if key.endswith((f"{name}.weight", f"{name}.base_layer.weight"))]
        rows = [file.get_slice(key).get_shape()[0] for key in own]
    if not rows or rows[0] == embedding.weight.shape[0]:
        return
    head = model.get_output_embeddings()
    if head is not None and head.weight is not embedding.weight and not any(".lm_head." in key for key in keys):
        raise ConfigError(
            f"model: the adapters in {folder} have an embedding of {rows[0]} tokens and no head for them, which would be random.\n"
            "  Remedy: save them again with save_embedding_layers=True."
        )
    model.resize_token_embeddings(rows[0], mean_resizing=False)


@contextmanager
def _refused(folder: FilePath, remedy: str = TRUSTING) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ConfigError(
            f"model: {folder} cannot be loaded without Python code of its own, which is not run.\n  Remedy: {remedy}"
        ) from None
    except RuntimeError as error:
        if "conversion of the weights" not in str(error):
            raise
        raise ConfigError(
            f"model: the weights in {folder} cannot be brought into the form of its model, as when some of them are missing: {error}\n"
            "  Remedy: copy the whole model again, or save it again with model.save_pretrained(FOLDER)."
        ) from None
