"""Checks that a folder is a model before anything reads it: transformers would refuse it, or worse, take it for something else."""

from __future__ import annotations

from pathlib import Path as FilePath

from adjudge import ConfigError
from adjudge.artifacts import is_whole_safetensors, model_below, read_settings

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
