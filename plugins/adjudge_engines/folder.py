"""Checks that a folder is a model before anything reads it: transformers would refuse it, or worse, take it for something else."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

from adjudge import ConfigError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")


def check_folder(folder: FilePath) -> None:
    """Raise `ConfigError` for a folder without settings, tokenizer or whole weights, or with adapters of a model that is not there."""
    below = model_below(folder)
    if below is not None:
        check_folder(below)
    elif not (folder / "config.json").is_file():
        raise ConfigError(
            f"model: {folder} has no config.json, so it is not a model folder.\n  Remedy: name a folder saved by transformers."
        )
    else:
        read_settings(folder / "config.json")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ConfigError(
            f"model: {folder} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)}).\n"
            "  Remedy: save the tokenizer into the same folder: tokenizer.save_pretrained(FOLDER)."
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ConfigError(f"model: {folder} has no *.safetensors weights.\n  Remedy: save the model there: model.save_pretrained(FOLDER).")
    for file in weights:
        if not is_whole_safetensors(file):
            raise ConfigError(f"model: {file} is cut short or no safetensors file.\n  Remedy: copy or save it again.")


def model_below(folder: FilePath) -> FilePath | None:
    """The folder of the model that a folder of adapters is for; None for a folder that holds a whole model.

    Raises `ConfigError` where that is no folder, or adapters that lead back to where they came from.
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
    """The folder that the settings of adapters name; None for a folder without adapters."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    below = FilePath(str(read_settings(file).get("base_model_name_or_path")))
    if not below.is_dir():
        raise ConfigError(
            f"model: {folder} holds adapters for the model in {below}, which is no folder here.\n"
            f"  Remedy: put that model there, or write where it is as base_model_name_or_path in {file.name}."
        )
    return below


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
            header = json.loads(data.read(size)) if size <= file.stat().st_size else {}
        offsets: list[int] = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return 8 + size + max(offsets) == file.stat().st_size
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
