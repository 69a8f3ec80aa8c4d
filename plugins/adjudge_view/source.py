"""What a path that is to be looked into is: a run, what another command kept, a file of rows, or a server's groups; it is only read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge import ConfigError

STAGE_FILE = re.compile(r"(\d+-[^-]+(?:-[^-]+)*?)-(evaluation-.+|rollouts|steps|paths|scores|selected|probe|answers|curve|starts)$")
KINDS = {"rankings": "rankings", "judgements": "judgements", "ratings": "ratings"}
DATABASE = b"SQLite format 3\0"


@dataclass
class Source:
    """One thing to look into. Whatever cannot be read is said in `problems`, and the rest is shown."""

    path: FilePath
    run: str
    """Its name in addresses."""
    kind: str
    """``run``, ``rankings``, ``judgements``, ``ratings``, ``rows`` or ``groups``."""
    problems: dict[str, str] = field(default_factory=dict)
    """What cannot be read, and why, by file."""
    _config: tuple[int, dict[str, Any]] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """``config.yaml``; empty where there is none that can be read."""
        try:
            written = os.stat(self.path / "config.yaml").st_mtime_ns
        except OSError:
            written = 0
        if self._config is None or self._config[0] != written:
            self._config = (written, self._read_config())
        return self._config[1]

    @property
    def config_text(self) -> str:
        """``config.yaml`` as it stands there."""
        return (self.path / "config.yaml").read_text(encoding="utf-8", errors="replace")

    def _read_config(self) -> dict[str, Any]:
        file = self.path / "config.yaml"
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return self._broken(file, "is missing" if self.kind == "run" else None)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            return self._broken(file, f"cannot be read: {_first_line(error)}")
        self.problems.pop(file.name, None)
        return found if isinstance(found, dict) else self._broken(file, "is no mapping of fields to values")

    def read_json(self, file: FilePath) -> dict[str, Any]:
        """A JSON file of the folder; empty where it is not there, or broken, which is told."""
        name = str(file.relative_to(self.path))
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            return self._broken(file, f"cannot be read: {_first_line(error)}")
        self.problems.pop(name, None)
        return found if isinstance(found, dict) else self._broken(file, "is no object")

    def _broken(self, file: FilePath, why: str | None) -> dict[str, Any]:
        if why is not None:
            self.problems[str(file.relative_to(self.path))] = why
        return {}

    def record_files(self) -> list[FilePath]:
        """Its files of records, those of earlier stages first, and of a stage what it was trained on before its evaluation."""
        if self.kind == "groups":
            return []
        files = [self.path] if self.path.is_file() else [*(self.path / "records").glob("*.jsonl")]
        return sorted(files, key=_place)

    def stage_and_set(self, file: FilePath, use: Sequence[str]) -> tuple[str, str]:
        """Of a record file its stage and the name of its records; outside of runs both are the file's own name."""
        name = file.name.removesuffix(".jsonl")
        stage = next((one for one in sorted(use, key=len, reverse=True) if name.startswith(one + "-")), None)
        if stage is not None:
            return stage, name.removeprefix(stage + "-")
        found = STAGE_FILE.match(name)
        return (found[1], found[2]) if found else (name, name)

    def is_open(self) -> bool:
        """Whether a process is at work in the folder, told without touching its lock: a run that starts now must find it free."""
        try:
            there = os.stat(self.path / ".lock")
            locks = FilePath("/proc/locks").read_text(encoding="ascii")
        except OSError:
            return False
        mark = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
        return any(mark in line.split() for line in locks.splitlines())


def _place(file: FilePath) -> tuple[int, bool, str]:
    """Stages by their numbers; evaluations come last."""
    number = file.name.split("-", 1)[0]
    return int(number) if number.isdigit() else -1, "-evaluation-" in file.name, file.name


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def open_sources(paths: Sequence[FilePath]) -> list[Source]:
    """What these paths are, each with a name of its own; a folder of runs is all of them. Raises `ConfigError` for what is none."""
    found: list[Source] = []
    for path in paths:
        found += [Source(one, _name(one, [source.run for source in found]), kind) for one, kind in _kinds(path)]
    return found


def _kinds(path: FilePath) -> Iterator[tuple[FilePath, str]]:
    remedy = "Remedy: name a run's folder, what a command wrote with --out, or a .jsonl file of its rows."
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder.\n  {remedy}")
    if (kind := _kind(path)) is not None:
        yield path, kind
        return
    inside = [] if path.is_file() else [(one, kind) for one in sorted(path.iterdir()) if one.is_dir() and (kind := _kind(one))]
    if not inside:
        what = "is neither a .jsonl file nor the groups that a server keeps" if path.is_file() else "has no run: no config.yaml, no records"
        raise ConfigError(f"{path} {what}.\n  {remedy}")
    yield from inside


def _kind(path: FilePath) -> str | None:
    """What a path is by itself; None for a folder that may have runs in it."""
    if path.is_file():
        if path.suffix == ".jsonl":
            return "rows"
        with path.open("rb") as data:
            return "groups" if data.read(len(DATABASE)) == DATABASE else None
    names = {file.stem for file in (path / "records").glob("*.jsonl")}
    for name, kind in KINDS.items():
        if name in names:
            return kind
    if (path / "config.yaml").is_file() or (path / "manifest.json").is_file() or names:
        return "run"
    return None


def _name(path: FilePath, taken: Sequence[str]) -> str:
    """A name for addresses, from the path's own."""
    bare = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.resolve().name.removesuffix(".jsonl")).strip(".-") or "run"
    return bare if bare not in taken else next(name for number in range(2, len(taken) + 3) if (name := f"{bare}-{number}") not in taken)
