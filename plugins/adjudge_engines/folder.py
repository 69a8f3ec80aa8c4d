"""Checks that a folder or a GGUF file is a model before anything reads it: transformers would refuse it, or take it for something else."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

from .gguf import check_gguf, gguf_file, settings_in_gguf
from .hub import find_cached_model

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json", "tekken.json")


def check_folder(model: FilePath) -> None:
    """Raise `ConfigError` for a folder without settings, tokenizer or whole weights, or with adapters of a model that is not there."""
    if (file := gguf_file(model)) is not None:
        return check_gguf(file)
    below = model_below(model)
    if below is not None:
        check_folder(below)
    elif not (model / "config.json").is_file():
        raise ConfigError(
            f"model: {model} has no config.json, so it is not a model folder.\n  Remedy: name a folder saved by transformers."
        )
    else:
        read_settings(model / "config.json")
        if not has_tokenizer(model):
            raise ConfigError(
                f"model: {model} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)}).\n"
                "  Remedy: save the tokenizer into the same folder: tokenizer.save_pretrained(FOLDER)."
            )
    return _check_weights(model)


def _check_weights(folder: FilePath) -> None:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ConfigError(f"model: {folder} has no *.safetensors weights.\n  Remedy: save the model there: model.save_pretrained(FOLDER).")
    for file in weights:
        if not is_whole_safetensors(file):
            raise ConfigError(f"model: {file} is cut short or no safetensors file.\n  Remedy: copy or save it again.")
    index = folder / "model.safetensors.index.json"
    named = read_settings(index).get("weight_map", {}) if index.is_file() and not (folder / "model.safetensors").is_file() else {}
    missing = sorted({str(name) for name in named.values() if not (folder / str(name)).is_file()})
    if missing:
        raise ConfigError(
            f"model: {folder} lacks {len(missing)} of the files that {index.name} names, for example {missing[0]}.\n"
            "  Remedy: copy or download the whole model again."
        )


def has_tokenizer(folder: FilePath) -> bool:
    """Whether a folder brings a tokenizer of its own."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def settings_of(model: FilePath) -> dict[str, Any]:
    """What a model says of itself: its ``config.json``, that of the model below adapters, or as much of one as a GGUF file tells.

    Empty where there is none.
    """
    if (file := gguf_file(model)) is not None:
        return settings_in_gguf(file)
    if (below := model_below(model)) is not None:
        return settings_of(below)
    found = read_settings(model / "config.json") if (model / "config.json").is_file() else {}
    return found if isinstance(found, dict) else {}


def model_below(folder: FilePath) -> FilePath | None:
    """The model that a folder of adapters is for; None for what holds a whole model.

    Raises `ConfigError` where that is no model here, or adapters that lead back to where they came from.
    """
    below = last = _named_below(folder)
    passed = [folder.resolve()]
    while last is not None:
        if last.resolve() in passed:
            raise ConfigError(
                f"model: {folder} holds adapters for the model in {below}, and from there base_model_name_or_path leads back to {last}.\n"
                "  Remedy: write there where the whole model is that the adapters were made for."
            )
        passed.append(last.resolve())
        last = _named_below(last)
    return below


def _named_below(folder: FilePath) -> FilePath | None:
    """The model that the settings of adapters name, a path or an id of the hub; None for a folder without adapters."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    name = str(read_settings(file).get("base_model_name_or_path"))
    below = FilePath(name)
    if below.is_dir() or (below.is_file() and below.suffix == ".gguf"):
        return below
    try:
        return find_cached_model(name, below)
    except ConfigError as error:
        fetch = str(error).partition("fetch it once: ")[2].partition(" (")[0]
        there = f"put that model there{f' ({fetch})' if fetch else ''}"
        raise ConfigError(
            f"model: {folder} holds adapters for the model in {below}, which is no folder here.\n"
            f"  Remedy: {there}, or write where it is as base_model_name_or_path in {file.name}."
        ) from None


def read_settings(file: FilePath) -> Any:
    """A JSON file of a model folder; `ConfigError` for one that is not JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"model: {file} is not JSON: {error}") from None


def is_whole_safetensors(file: FilePath) -> bool:
    """Whether the file is as long as its own header says; nothing but the header is read."""
    try:
        with file.open("rb") as data:
            size = int.from_bytes(data.read(8), "little")
        header = safetensors_header(file)
        return 8 + size + max(entry["data_offsets"][1] for entry in header.values()) == file.stat().st_size  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def safetensors_header(file: FilePath) -> dict[str, Any]:
    """Shapes, types and places of the weights in a file by their names; empty where the header is longer than the file."""
    with file.open("rb") as data:
        size = int.from_bytes(data.read(8), "little")
        header: dict[str, Any] = json.loads(data.read(size)) if size <= file.stat().st_size else {}
    return {name: entry for name, entry in header.items() if name != "__metadata__"}
