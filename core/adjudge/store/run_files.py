"""Reads a run file: YAML, changed by ``--set``, and validated with the installed components."""

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge.api.options import dump, validate
from adjudge.errors import ConfigError
from adjudge.host.plugins import Plugins
from adjudge.host.run_file import RunConfig, load_yaml, override

from .model_folder import find_model, load_judge


def read_run_file(file: FilePath, sets: Sequence[str], plugins: Plugins) -> RunConfig:
    """Read, override (``a.b=c``), and validate a run file; every mistake in one `ConfigError`."""
    own = [setting for setting in sets if setting.startswith("judge.")]
    data = override(_read_yaml(file), [setting for setting in sets if setting not in own])
    if own and data.get("judge") is None and not any(setting.startswith("judge.use=") for setting in own):
        data["judge"] = dump(load_judge(find_model(str(data.get("model"))), plugins))
    return validate(RunConfig, override(data, own), plugins, str(file))


def _read_yaml(file: FilePath) -> dict[str, Any]:
    try:
        data = load_yaml(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such run file.\n  Remedy: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a run file is a mapping of fields to values, not {type(data).__name__}")
    return data
