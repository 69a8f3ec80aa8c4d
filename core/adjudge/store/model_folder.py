"""Model folders: where they are, the ``judge.json`` beside the weights that says how a model judges, and whether weights are whole."""

import json
from importlib import resources
from pathlib import Path as FilePath

from pydantic import ValidationError

from adjudge.api.kinds import Judge
from adjudge.api.options import dump, explain
from adjudge.errors import ConfigError
from adjudge.host.plugins import Plugins

from .files import write_json


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
