"""A run's plan as ``adjudge plan`` prints it: what would be run, its memory on the devices, and its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import typer

from adjudge import ConfigError, Problem, Run, load_set
from adjudge_judge_commands import answered_by

from .device_table import print_memory
from .hardware import DeviceTable, Hardware, device_table
from .model_size import find_model_size
from .plan import Plan, Rates, plan_run, stage_names, stand_ins, works_of
from .table import UNKNOWN, print_plan


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run, its problems as far as they are here, and its plan."""

    run: Run
    train: Sequence[Problem] | None
    tests: Mapping[str, Sequence[Problem] | None]
    missing: Mapping[str, str]
    """Why data are not here, by their fields."""
    plan: Plan

    @classmethod
    def of(cls, run: Run, rates: Rates, count: int | None = None) -> Self:
        """The plan of a run; `count` is the number of its problems where these are not here."""
        train, tests, missing = find_problems(run)
        problems = stand_ins(count) if train is None and count is not None else train
        return cls(run, problems, tests, missing, plan_run(run, problems, tests, rates))

    @property
    def facts(self) -> dict[str, Any]:
        config = self.run.config
        return {
            "out": str(self.run.folder),
            "model": answered_by(config.engine, str(self.run.base)),
            "judge": self.run.judge.use,
            "engine": config.engine.use,
            "seed": config.seed,
            "problems": _size(self.train),
            "evaluation": {name: _size(problems) for name, problems in self.tests.items()},
            "stages": stage_names(self.run),
        }

    @property
    def not_here(self) -> list[str]:
        """What could not be looked at, in a sentence each."""
        model = [f"{self.run.base}: its weights, tokenizer and chat template, and how long prompts are in its tokens"]
        return (model if self.run.absent else []) + [f"{field}: {reason}" for field, reason in self.missing.items()]


def _size(problems: Sequence[Problem] | None) -> int | None:
    return None if problems is None else len(problems)


def find_problems(run: Run) -> tuple[Sequence[Problem] | None, dict[str, Sequence[Problem] | None], dict[str, str]]:
    """Training problems and evaluation sets; where the model is absent data sets may be too: None, and by their fields why."""
    if not run.absent:
        train, tests = run.load_problems()
        return train, dict(tests), {}
    sets = {"data": run.config.data, **{f"evaluation.sets.{name}": dataset for name, dataset in run.config.evaluation.sets.items()}}
    found: dict[str, Sequence[Problem] | None] = {}
    missing: dict[str, str] = {}
    for field, dataset in sets.items():
        try:
            found[field] = load_set(dataset, field, run.labelled)
        except ConfigError as error:
            found[field], missing[field] = None, str(error).partition("\n")[0].removeprefix(f"{field}: ")
    train_or_none = found.pop("data")
    return train_or_none, {field.removeprefix("evaluation.sets."): problems for field, problems in found.items()}, missing


def show_run_plan(found: RunPlan, hardware: Hardware, config_file: Path | None, *, as_json: bool) -> None:
    """Print a run's plan with its memory; raises `ConfigError` at the end where a phase cannot fit the devices."""
    devices, reason = _devices(found, hardware, config_file)
    if as_json:
        memory = None if devices is None else devices.to_json(hardware.gpu_memory)
        told = {**found.facts, "plan": found.plan.to_json(), "memory": memory, "memory_unknown": reason, "not_here": found.not_here}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print_facts(found)
        if devices:
            print_memory(devices, hardware)
        elif reason:
            typer.echo(f"memory      unknown: {reason}")
        print_plan(found.plan, found.not_here)
    if devices and hardware.gpu_memory is not None:
        devices.check(hardware.gpu_memory)


def _devices(found: RunPlan, hardware: Hardware, config_file: Path | None) -> tuple[DeviceTable | None, str | None]:
    """What the run holds, or why nobody can tell; a size that was given and cannot be read is a mistake.

    Neither where the model is at an endpoint: what it holds is held elsewhere, and nothing of the folder that lies here is loaded.
    """
    run = found.run
    if run.config.engine.ignores_model_folder and config_file is None:
        return None, None
    try:
        model = find_model_size(run.config.model, run.base, config_file)
    except ConfigError as error:
        if config_file is not None or hardware.gpu_memory is not None:
            raise
        return None, str(error).partition("\n")[0]
    return device_table(run, model, works_of(run, found.train), found.train, hardware), None


def _print_facts(found: RunPlan) -> None:
    """What would be run, line by line."""
    facts = found.facts
    sets = ", ".join(f"{name} ({_counted(size)} problems)" for name, size in facts["evaluation"].items()) or "none"
    lines = {**facts, "problems": _counted(facts["problems"]), "evaluation": sets, "stages": " → ".join(facts["stages"])}
    for name, value in lines.items():
        typer.echo(f"{name:<11} {value}")


def _counted(size: int | None) -> str:
    return UNKNOWN if size is None else str(size)
