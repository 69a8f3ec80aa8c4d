"""Model folders: where they are, the ``judge.json`` beside the weights that says how a model judges, and whether files are whole."""

from __future__ import annotations

import json
import zipfile
from importlib import resources
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from .components import Judge
from .config import dump, explain
from .errors import ConfigError
from .manager import Plugins
from .rundir import write_json


def find_model(name: str) -> FilePath:
    """The folder that a model's name means: a path, or ``package:folder`` shipped by an installed package."""
    package, colon, folder = name.partition(":")
    shipped = colon and not FilePath(name).exists()
    found = _folder_of(package, name) / folder if shipped else FilePath(name)
    if not found.is_dir():
        raise ConfigError(f"model: {name!r}: no such folder ({found}).\n  Remedy: models are local folders; nothing is downloaded.")
    return found


def _folder_of(package: str, name: str) -> FilePath:
    """Where an installed package lies."""
    try:
        return FilePath(str(resources.files(package)))
    except (ImportError, TypeError, ValueError):  # not installed, a module and no package, not a name at all
        raise ConfigError(
            f"model: {name!r}: no package {package!r} is installed.\n  Remedy: write a folder, or install the package."
        ) from None


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


def save_judge(folder: FilePath, judge: Judge) -> None:
    """Write ``judge.json``: prompt, parser, sampling and order policy, as the options of one component."""
    write_json(folder / "judge.json", dump(judge))


def load_judge(folder: FilePath, plugins: Plugins) -> Judge:
    """The judge that a model was trained with."""
    file = folder / "judge.json"
    if not file.exists():
        raise ConfigError(
            f"judge: {folder} has no judge.json, so how this model judges is unknown.\n  Remedy: say it, for example judge: {{use: rrm}}"
        )
    try:
        judge: Judge = Judge.model_validate(json.loads(file.read_text(encoding="utf-8")), context={"plugins": plugins})
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from None
    except ValidationError as error:
        raise ConfigError(explain(error, str(file))) from None
    return judge


def is_whole_safetensors(file: FilePath) -> bool:
    """Whether the file is as long as its own header says; nothing but the header is read."""
    try:
        with file.open("rb") as data:
            size = int.from_bytes(data.read(8), "little")
            header = json.loads(data.read(size)) if size <= file.stat().st_size else {}
        ends: list[int] = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return 8 + size + max(ends) == file.stat().st_size
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def is_whole_checkpoint(folder: FilePath) -> bool:
    """Whether a checkpoint of a Hugging Face trainer was written to its end: its state comes last, but a full disk tears any file.

    What torch saves is a zip file, whose table of contents is at its end; a plain pickle is none, and not a checkpoint.
    """
    try:
        json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    saved = [*folder.glob("*.pt"), *folder.glob("*.pth"), *folder.glob("*.bin")]
    return all(map(zipfile.is_zipfile, saved)) and all(map(is_whole_safetensors, folder.rglob("*.safetensors")))
