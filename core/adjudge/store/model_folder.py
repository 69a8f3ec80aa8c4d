"""Models: where their folders or files are, and the ``judge.json`` beside the weights that says how a model judges."""

import json
from importlib import import_module, resources
from pathlib import Path as FilePath

from adjudge.api.kinds import Judge
from adjudge.api.options import dump, validate
from adjudge.errors import ConfigError
from adjudge.host.plugins import Plugins

from .files import write_json


def find_model(name: str) -> FilePath:
    """What a model's name means: a folder or GGUF file, ``package:folder`` shipped by a package, or a hub id that is cached here."""
    package, colon, folder = name.partition(":")
    shipped = colon and not FilePath(name).exists()
    found = _folder_of(package, name) / folder if shipped else FilePath(name)
    if found.is_dir() or (found.is_file() and found.suffix == ".gguf"):
        return found
    return FilePath(import_module("adjudge_engines").find_cached_model(name, found))


def _folder_of(package: str, name: str) -> FilePath:
    """Where an installed package lies."""
    try:
        return FilePath(str(resources.files(package)))
    except (ImportError, TypeError, ValueError):  # not installed, a module and no package, not a name at all
        raise ConfigError(
            f"model: {name!r}: no package {package!r} is installed.\n  Remedy: write a folder, or install the package."
        ) from None


def save_judge(folder: FilePath, judge: Judge) -> None:
    """Write ``judge.json``: prompt, parser, sampling and order policy, as the options of one component."""
    write_json(folder / "judge.json", dump(judge))


def load_judge(folder: FilePath, plugins: Plugins) -> Judge:
    """The judge that a model was trained with."""
    file = (folder.parent if folder.is_file() else folder) / "judge.json"
    if not file.exists():
        raise ConfigError(
            f"judge: {folder} has no judge.json, so how this model judges is unknown.\n  Remedy: say it, for example judge: {{use: rrm}}"
        )
    try:
        return validate(Judge, json.loads(file.read_text(encoding="utf-8")), plugins, str(file))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from None
