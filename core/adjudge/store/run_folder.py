"""The run folder: configuration, manifest, records, stages, and how a stopped run goes on.

``result.json`` and ``done.json`` are written last: their presence means that a stage, or the run, is complete. What is worth knowing on
the way, such as a batch that was halved, goes to ``log.txt``.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import yaml
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from adjudge.api.options import Options, dump
from adjudge.errors import ConfigError, PluginError
from adjudge.host.plugins import Plugins

from .files import write_json, write_whole
from .manifest import describe_machine

IGNORED = ("out", "reporters", "launch")
"""Fields of a run file that say where it runs and who watches."""


class RunFolder:
    """A run's folder, opened by one process at a time."""

    LOCK = ".lock"
    """The file that this process has locked."""

    def __init__(self, folder: FilePath, config: BaseModel, plugins: Plugins, inputs: Mapping[str, str] | None = None) -> None:
        """`inputs` are hashes of what is read, such as data and model, by the fields that name it.

        Raises `ConfigError` where another process is at work in the folder, or where it holds a run of another configuration or of other
        inputs."""
        self.folder = folder
        self._lock = FileLock(folder / self.LOCK)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout:
            raise ConfigError(f"out: another process is at work in {folder}.\n  Remedy: wait for it, or choose another folder.") from None
        except OSError as error:
            raise ConfigError(f"out: {folder} cannot be written: {error.strerror}.\n  Remedy: choose another folder as 'out'") from None
        try:
            self._check_config(config, plugins)
            self._add_start(plugins, dict(inputs or {}))
            self._log = logging.FileHandler(folder / "log.txt", encoding="utf-8", delay=True)
        except BaseException:
            self._lock.release()
            raise
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("adjudge").addHandler(self._log)

    def close(self) -> None:
        logging.getLogger("adjudge").removeHandler(self._log)
        self._log.close()
        self._lock.release()

    def _check_config(self, config: BaseModel, plugins: Plugins) -> None:
        """Save the configuration, or make sure that results depend on nothing that has changed since it was saved."""
        file = self.folder / "config.yaml"
        if not (file.exists() and self._begun()):
            return write_whole(file, yaml.safe_dump(dump(config), sort_keys=False))
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
        try:  # through today's options, so that one that came later has its default
            earlier = type(config).model_validate(saved, context={"plugins": plugins})
            old = _without_effect(earlier, dump(earlier))
        except (ValidationError, PluginError):
            old = saved
        ignored = dict.fromkeys(IGNORED)
        if changed := sorted(_differences({**old, **ignored}, {**_without_effect(config, dump(config)), **ignored})):
            raise ConfigError(
                f"out: {self.folder} holds a run of another configuration; these fields differ: {', '.join(changed)}.\n"
                "  Remedy: choose another folder as 'out', or delete that one."
            )
        return None

    def _begun(self) -> bool:
        """Whether something was made here; until then a run may still be changed, as one may that a missing package kept from starting."""
        return any(any(self.folder.glob(place)) for place in ("records/*", "stages/*"))

    def _add_start(self, plugins: Plugins, inputs: dict[str, str]) -> None:
        file = self.folder / "manifest.json"
        manifest = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"starts": []}
        before = manifest.setdefault("inputs", {}) if self._begun() else {}
        if changed := sorted(name for name in before.keys() & inputs.keys() if before[name] != inputs[name]):
            raise ConfigError(
                f"out: {self.folder} holds a run on other inputs; the content has changed of: {', '.join(changed)}.\n"
                "  Remedy: choose another folder as 'out', or bring back what was there before."
            )
        manifest["inputs"] = {**before, **inputs}
        manifest["starts"].append(describe_machine(plugins))
        write_json(file, manifest)


def _without_effect(value: Any, dumped: Any) -> Any:
    """A configuration as plain values, without the options that no result depends on; `dumped` is all of it."""
    if isinstance(value, Options):
        return {name: _without_effect(getattr(value, name), dumped[name]) for name in dumped.keys() - value.without_effect}
    if isinstance(value, dict):
        return {name: _without_effect(one, dumped[name]) for name, one in value.items() if name in dumped}
    if isinstance(value, list):
        return [_without_effect(one, other) for one, other in zip(value, dumped, strict=True)]
    return dumped


def _differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _differences(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{place}.{index}")
    elif old != new:
        yield place
