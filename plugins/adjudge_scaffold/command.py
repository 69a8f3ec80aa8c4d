"""``adjudge new-plugin``: a folder that installs as a plugin, is found, and passes its own tests; from templates in the package."""

from __future__ import annotations

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer

EXAMPLE = "Example: adjudge new-plugin brevity --kind path-scorer && pip install -e ./adjudge-brevity && adjudge plugins"


class Addition(StrEnum):
    """What a plugin can add: a component of any kind, or a command; each has a folder of templates."""

    PATH_SCORER = "path-scorer"
    ELIGIBILITY_RULE = "eligibility-rule"
    REWARD_RULE = "reward-rule"
    AGGREGATOR = "aggregator"
    STAGE_TRAINER = "stage-trainer"
    ENGINE = "engine"
    JUDGE = "judge"
    SOFT_JUDGE = "soft-judge"
    DATA_SET = "data-set"
    REPORTER = "reporter"
    LAUNCHER = "launcher"
    PROBE = "probe"
    COMMAND = "command"

    @property
    def spoken(self) -> str:
        return self.value.replace("-", " ")

    @property
    def component(self) -> str:
        """The kind under which it is registered."""
        return "judge" if self is Addition.SOFT_JUDGE else self.spoken


USAGE = {
    Addition.PATH_SCORER: "scorer: {{use: {name}, target: 300}}    # in a stage that chooses among paths",
    Addition.ELIGIBILITY_RULE: "eligible: {{use: {name}, least: 0.75}}    # in the stage sft, or in grpo with only: hard",
    Addition.REWARD_RULE: "rules:\n  - {{use: {name}, phrase: therefore, weight: 0.5}}",
    Addition.AGGREGATOR: "aggregator: {{use: {name}, tie: 0.4}}    # or: adjudge rank answers.jsonl --use {name}",
    Addition.STAGE_TRAINER: "stages:\n  - {{use: grpo, steps: 100}}\n  - {{use: {name}, share: 0.3}}",
    Addition.ENGINE: "engine: {{use: {name}}}    # or: adjudge judge pairs.jsonl --engine {name}",
    Addition.JUDGE: "judge: {{use: {name}, max_new_tokens: 2048}}",
    Addition.SOFT_JUDGE: "judge: {{use: {name}, least: 0.6}}    # its probabilities count in elo, knockout … with soft: true",
    Addition.DATA_SET: "data: {{use: {name}, file: table.csv}}",
    Addition.REPORTER: "reporters:\n  - progress\n  - {{use: {name}, file: stages.jsonl}}",
    Addition.LAUNCHER: "launch: {{use: {name}}}",
    Addition.PROBE: "adjudge health    # every probe that is installed takes part",
    Addition.COMMAND: "adjudge {name} pairs.jsonl",
}
"""How the plugin is used: lines of a run file, or of a shell."""
ON_THE_COMMAND_LINE = (Addition.PROBE, Addition.COMMAND)
OWN_COMMANDS = ("run", "plugins")
"""Commands that no plugin may add."""


def new_plugin(
    name: Annotated[str, typer.Argument(help="The component's name: small letters, digits and hyphens.")],
    kind: Annotated[Addition, typer.Option("--kind", help="What the plugin adds.")] = Addition.PATH_SCORER,
    into: Annotated[Path, typer.Option("--into", help="The folder that adjudge-NAME/ is made in.")] = Path(),
) -> None:
    """Write a plugin to start from: adjudge-NAME/ with a working component, its tests, and its packaging."""
    from adjudge import ConfigError

    folder = into / f"adjudge-{name}"
    _check(name, kind, folder)
    try:
        for file, text in plugin_files(name, kind).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--into: {folder} cannot be written: {error.strerror}.\n  Remedy: choose another folder.") from None
    typer.echo(f"Wrote {folder}. Next: pip install -e {folder} && adjudge plugins")


def _check(name: str, kind: Addition, folder: Path) -> None:
    """Names have to work as a distribution, an entry point, a module and a class at once; nothing is ever overwritten."""
    from adjudge import ConfigError

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*", name):
        raise ConfigError(f"NAME: {name!r} is no name for a plugin.\n  Remedy: use small letters, digits and hyphens, as in 'my-scorer'.")
    if _taken(name, kind):
        raise ConfigError(f"NAME: {name!r} is taken, by a plugin that adjudge ships or by a {kind.spoken}.\n  Remedy: choose another.")
    if folder.exists():
        raise ConfigError(f"{folder} exists already.\n  Remedy: choose another name, or --into another folder.")


def _taken(name: str, kind: Addition) -> bool:
    from adjudge import Plugins

    plugins = Plugins.load()
    if _module(name) in {source.plugin for source in plugins.sources} | set(plugins.blocked):
        return True
    if kind == Addition.COMMAND:
        return name in OWN_COMMANDS or name in {command.name for command in plugins.commands()}
    return (kind.component, name) in plugins.entries


def _module(name: str) -> str:
    return "adjudge_" + name.replace("-", "_")


def plugin_files(name: str, kind: Addition) -> dict[str, str]:
    """The new plugin's files by their place in its folder."""
    module = _module(name)
    names = {
        "name": name,
        "module": module,
        "cls": "".join(part.capitalize() for part in f"{name}-{kind.value}".split("-")),
        "kind": kind.spoken,
        "title": f"A{'n' * (kind.spoken[0] in 'aeiou')} {kind.spoken}",
        "listing": f"adjudge --help         # lists the command '{name}'"
        if kind == Addition.COMMAND
        else f"adjudge plugins        # lists the {kind.component} '{name}'",
        "place": "On the command line" if kind in ON_THE_COMMAND_LINE else "In a run file or on the command line it is called by its name",
        "language": "" if kind in ON_THE_COMMAND_LINE else "yaml",
        "usage": USAGE[kind].format(name=name),
    }
    sources = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        f"{module}/__init__.py": f"{kind.value}/init.py",
        f"tests/test_{module.removeprefix('adjudge_')}.py": f"{kind.value}/test.py",
    }
    return {file: _template(source).substitute(names) for file, source in sources.items()}


def _template(name: str) -> Template:
    return Template(resources.files("adjudge_scaffold").joinpath(f"templates/{name}.template").read_text(encoding="utf-8"))
