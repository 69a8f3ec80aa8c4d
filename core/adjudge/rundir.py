"""The run folder: configuration, manifest, append-only records, stages, and how a stopped run goes on.

A file that is written whole goes through a temporary file and `os.replace`; a record is one appended line with a stable id; a
torn last line is cut off before anything is appended. ``result.json`` and ``done.json`` are written last: their presence means
that a stage, or the run, is complete. What is worth knowing on the way, such as a batch that was halved, goes to ``log.txt``.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path as FilePath
from typing import IO, Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter

from .config import dump
from .errors import ConfigError, JobError
from .manager import Plugins
from .records import Json

Record = TypeVar("Record")


def write_whole(file: FilePath, text: str) -> None:
    """Write a file so that it is there complete or not at all."""
    partial = file.with_name(file.name + ".partial")
    with _written(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, file)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def _written(file: FilePath) -> Iterator[None]:
    """Tell of a full disk and the like in one message with the file's name."""
    try:
        yield
    except OSError as error:
        raise JobError(
            f"{file} cannot be written: {error.strerror}.\n  Remedy: make room, and run again; finished records are kept."
        ) from error


def write_json(file: FilePath, data: Json) -> None:
    write_whole(file, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


class Records:
    """One append-only file of records with ids; appending an id that is there already changes nothing."""

    def __init__(self, file: FilePath, written: Callable[[Mapping[str, Json]], None] = lambda record: None) -> None:
        self.file = file
        self._written = written
        with _written(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(file)
        self.ids = {record["id"] for record in self}

    def __iter__(self) -> Iterator[dict[str, Json]]:
        if not self.file.exists():
            return
        with self.file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise ConfigError(
                        f"{self.file}: line {number} is damaged ({error}).\n  Remedy: delete that line and run again."
                    ) from None

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a record dataclass; it must have an ``id``."""
        row = {**_as_mapping(record), **more}
        if row["id"] in self.ids:
            return
        line = json.dumps(row, ensure_ascii=False) + "\n"
        with _written(self.file), self.file.open("a", encoding="utf-8") as out:
            out.write(line)
        self.ids.add(row["id"])
        self._written(row)

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Drop the records that are not wanted, all at once or not at all."""
        kept = [record for record in self if wanted(record)]
        if len(kept) < len(self.ids):
            write_whole(self.file, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept))
            self.ids = {record["id"] for record in kept}

    def load(self, cls: type[Record]) -> list[Record]:
        """All records as this dataclass; fields it does not have are left out."""
        adapter, names = TypeAdapter(cls), set(cls.__dataclass_fields__)  # type: ignore[attr-defined]
        return [adapter.validate_python({key: row[key] for key in row.keys() & names}) for row in self]


def _as_mapping(value: Any) -> Any:
    """A record dataclass as a mapping, and those in its fields; `asdict` would also copy every token of a completion."""
    if not is_dataclass(value):
        return value
    return {name: _as_mapping(getattr(value, name)) for name in value.__dataclass_fields__}


def _cut_torn_line(file: FilePath) -> None:
    """Drop what follows the last newline: the line that a killed process did not finish."""
    if not file.exists():
        return
    with file.open("rb+") as data:
        content = data.read()
        data.truncate(content.rfind(b"\n") + 1)


class RunFolder:
    """A run's folder, opened by one process at a time."""

    def __init__(self, folder: FilePath, config: BaseModel, plugins: Plugins) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (folder / ".lock").open("w")
        except OSError as error:
            raise ConfigError(f"out: {folder} cannot be written: {error.strerror}.\n  Remedy: choose another folder as 'out'") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"out: another process is at work in {folder}.\n  Remedy: wait for it, or choose another folder.") from None
        try:
            self._check_config(dump(config))
            self._add_start(plugins)
            self._log = logging.FileHandler(folder / "log.txt", encoding="utf-8", delay=True)
        except BaseException:
            self._lock.close()
            raise
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("adjudge").addHandler(self._log)

    def close(self) -> None:
        logging.getLogger("adjudge").removeHandler(self._log)
        self._log.close()
        self._lock.close()

    def _check_config(self, config: dict[str, Any]) -> None:
        """Save the configuration, or make sure that it is the one saved; where it runs and who watches does not count."""
        file = self.folder / "config.yaml"
        if not file.exists():
            return write_whole(file, yaml.safe_dump(config, sort_keys=False))
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
        ignored = {"out": None, "reporters": None, "launch": None}
        changed = sorted(_differences({**saved, **ignored}, {**config, **ignored}))
        if changed:
            raise ConfigError(
                f"out: {self.folder} holds a run of another configuration; these fields differ: {', '.join(changed)}.\n"
                "  Remedy: choose another folder as 'out', or delete that one."
            )
        return None

    def _add_start(self, plugins: Plugins) -> None:
        file = self.folder / "manifest.json"
        manifest = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"starts": []}
        manifest["starts"].append(describe_machine(plugins))
        write_json(file, manifest)


def at_work(folder: FilePath) -> bool:
    """Whether a process has this run folder open."""
    try:
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no such folder yet
        return False
    return False


def _differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _differences(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{place}.{index}")
    elif old != new:
        yield place


def describe_machine(plugins: Plugins) -> dict[str, Json]:
    """What a result depends on besides its configuration: versions, plugins, machine."""
    versions = {}
    for name in ("torch", "transformers", "trl", "accelerate", "peft", "datasets", "pydantic", "pluggy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "plugins": [str(source) for source in plugins.sources],
        "broken_plugins": plugins.broken,
        "blocked_plugins": list(plugins.blocked),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the checkout that the current folder is in, read without running git."""
    for folder in (FilePath.cwd(), *FilePath.cwd().parents):
        head = folder / ".git" / "HEAD"
        if head.is_file():
            text = head.read_text().strip()
            ref = folder / ".git" / text.removeprefix("ref: ")
            return (ref.read_text().strip() if ref.is_file() else None) if text.startswith("ref: ") else text
    return None
