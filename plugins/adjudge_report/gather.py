"""Reads a run folder, finished or not, as the report shows it; writes nothing, so that a run at work is never disturbed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge import ConfigError, DataError


@dataclass(frozen=True)
class StageFiles:
    """A stage that the run has or will have."""

    name: str
    folder: FilePath
    records_folder: FilePath

    @cached_property
    def result(self) -> dict[str, Any] | None:
        """``result.json``; None until the stage is complete."""
        file = self.folder / "result.json"
        return _read_json(file) if file.exists() else None

    @property
    def evaluation(self) -> dict[str, dict[str, Any]]:
        return dict((self.result or {}).get("evaluation", {}))

    def record_files(self) -> dict[str, FilePath]:
        """The stage's record files by name, without the stage's own."""
        start = f"{self.name}-"
        return {file.stem.removeprefix(start): file for file in sorted(self.records_folder.glob(f"{start}*.jsonl"))}

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """Records of one name; none when there is no such file."""
        if (file := self.record_file(name)).exists():
            yield from _whole_lines(file)

    def record_file(self, name: str) -> FilePath:
        """Where the stage's records of this name are."""
        return self.records_folder / f"{self.name}-{name}.jsonl"


@dataclass(frozen=True)
class RunFiles:
    """A run folder."""

    folder: FilePath
    config: dict[str, Any]
    starts: list[dict[str, Any]]
    """One entry of ``manifest.json`` for every time that the run was started."""

    @classmethod
    def read(cls, folder: FilePath) -> RunFiles:
        file = folder / "config.yaml"
        if not file.exists():
            raise ConfigError(
                f"{folder}: not a run folder: it has no config.yaml.\n  Remedy: name the folder that a run file's 'out' says."
            )
        manifest = folder / "manifest.json"
        starts = _read_json(manifest)["starts"] if manifest.exists() else []
        return cls(folder, yaml.safe_load(file.read_text(encoding="utf-8")), starts)

    @cached_property
    def stages(self) -> list[StageFiles]:
        names = [f"{index}-{use}" for index, use in enumerate(["base", *(stage["use"] for stage in self.config["stages"])])]
        return [StageFiles(name, self.folder / "stages" / name, self.folder / "records") for name in names]

    @property
    def complete(self) -> list[StageFiles]:
        return [stage for stage in self.stages if stage.result is not None]

    @property
    def missing(self) -> list[StageFiles]:
        return [stage for stage in self.stages if stage.result is None]

    @property
    def unchanged(self) -> dict[str, str]:
        """Stages that left the judge as it was, as one does that trains a policy; each with the stage that the judge came from."""
        found: dict[str, str] = {}
        for before, stage in pairwise(self.stages):
            model = stage.folder / str((stage.result or {}).get("model", "model"))
            if not model.resolve().is_relative_to(stage.folder.resolve()):
                found[stage.name] = found.get(before.name, before.name)
        return found

    @property
    def sets(self) -> list[str]:
        """The evaluation sets, in the run file's order."""
        return list(self.config.get("evaluation", {}).get("sets", {}))

    @property
    def plan(self) -> dict[str, Any] | None:
        """``plan.json``; None for a run that was started without one."""
        file = self.folder / "plan.json"
        return dict(_read_json(file)) if file.exists() else None

    @property
    def judge(self) -> Mapping[str, Any]:
        """The judge's options: from the run file or, where that leaves it to the model, from the first model that a stage saved."""
        saved = sorted(self.folder.glob("stages/*/model/judge.json"))
        return self.config.get("judge") or (_read_json(saved[0]) if saved else {})


def _read_json(file: FilePath) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{file} is not JSON: {error}.\n  Remedy: delete the file and run again.") from None


def _whole_lines(file: FilePath) -> Iterator[dict[str, Any]]:
    """Every record but a last one that is still being written."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{file}: line {number} is damaged ({error}).\n  Remedy: delete that line and run again.") from None
