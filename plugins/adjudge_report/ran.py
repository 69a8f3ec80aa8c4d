"""What ran: the facts about a run that a reader wants before any number, and the command that carries it out again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from adjudge import duration

from .gather import RunFiles


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: a text, or components with their options, or a command."""

    name: str
    text: str = ""
    components: tuple[tuple[str, list[tuple[str, str]]], ...] = ()
    """Each with its name and those of its options that say something."""
    command: str = ""


def what_ran(run: RunFiles) -> Iterator[Fact]:
    """Everything the run folder says about itself."""
    config = run.config
    if run.starts:
        yield Fact("Command", command=command_line(run.starts[-1].get("command", [])))
    yield Fact("Model", str(config["model"]))
    if config["stages"]:
        yield Fact("Stages", components=tuple(map(_parts, config["stages"])))
    else:
        yield Fact("Stages", "none: the judge as it came")
    yield Fact("Judge", components=(_parts(run.judge),)) if run.judge else Fact("Judge", "as the model's judge.json says")
    yield Fact("Trained on", components=(_parts(config["data"]),))
    for name, dataset in config.get("evaluation", {}).get("sets", {}).items():
        yield Fact(f"Measured on {name}", components=(_parts(dataset),))
    yield Fact("Engine", components=(_parts(config["engine"]),))
    yield Fact("Seed", str(config["seed"]))
    if run.complete:
        yield Fact("Time", ", ".join(f"{stage.name} {duration((stage.result or {})['seconds'])}" for stage in run.complete))
    if run.starts:
        yield from _machine(run.starts)


def _machine(starts: list[dict[str, Any]]) -> Iterator[Fact]:
    last = starts[-1]
    yield Fact("Started", starts[0]["time"] + (f", and {len(starts) - 1} times more after a stop" if len(starts) > 1 else ""))
    versions = {"python": last.get("python"), **last.get("versions", {})}
    yield Fact("Versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version))
    for distribution, names in _by_distribution(last.get("plugins", [])).items():
        yield Fact(f"Plugins of {distribution}", ", ".join(names))
    for source, reason in last.get("broken_plugins", {}).items():
        yield Fact("Plugin not loaded", f"{source}: {reason}")
    yield Fact("Machine", str(last.get("machine")))
    yield Fact("Commit", last.get("git_commit") or "not in a checkout")


def _by_distribution(plugins: list[str]) -> dict[str, list[str]]:
    """Names of plugins by where they came from; the manifest has them as ``name (distribution version)``."""
    found: dict[str, list[str]] = {}
    for plugin in plugins:
        name, _, distribution = plugin.removesuffix(")").partition(" (")
        found.setdefault(distribution or "no distribution", []).append(name)
    return found


def command_line(arguments: list[str]) -> str:
    """A command as a shell takes it, by the name that is on its path and not by the file behind that."""
    if not arguments:
        return ""
    program = FilePath(arguments[0])
    name = ["python", "-m", program.parent.name] if program.name == "__main__.py" else [program.name]
    return shlex.join([*name, *arguments[1:]])


def _parts(component: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    said = ((key, value) for key, value in component.items() if key != "use" and value is not None and value not in ({}, []))
    return str(component["use"]), [(key, options_text(value)) for key, value in said]


def options_line(component: Mapping[str, Any]) -> str:
    """A component on one line: its name, then its options."""
    options = ", ".join(f"{key} {options_text(value)}" for key, value in component.items() if key != "use")
    return f"{component['use']} ({options})" if options else str(component["use"])


def options_text(value: Any) -> str:
    """The value of an option as a person writes it, a long text cut short."""
    if isinstance(value, dict) and value:
        return options_line(value) if "use" in value else ", ".join(f"{key} {options_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return f"[{', '.join(options_text(one) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    text = "none" if value in (None, {}) else str(value) or "''"
    return text if len(text) <= 60 else text[:59] + "…"
