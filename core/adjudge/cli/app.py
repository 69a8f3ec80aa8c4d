"""The command line: its own commands and those of plugins; mistakes become one message and an exit code, never a traceback.

Exit codes: 0 fine, 1 the job failed, 2 the call or the configuration is wrong, 130 stopped with Ctrl-C, 143 stopped with SIGTERM.
"""

import gc
import json
import logging
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from adjudge.errors import AdjudgeError
from adjudge.host.plugins import Plugins
from adjudge.stopping import follow_sigterm
from adjudge.version import __version__

from . import run
from .options import JsonOption
from .tables import print_table

PLAIN: Any = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class Group(TyperGroup):
    """The commands, made of their functions when they are asked for; their errors are told in one message on standard error."""

    found: Plugins

    def list_commands(self, ctx: Any) -> list[str]:
        return ["run", *(command.name for command in self.found.commands()), "plugins"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            others = {command.name: command for command in self.found.commands()}
            for name in [cmd_name] if cmd_name in others else others:  # for an unknown name all of them, so that typer can suggest one
                alone = typer.Typer(**PLAIN)
                alone.command(name, epilog=others[name].example)(others[name].function)
                self.commands[name] = typer.main.get_command(alone)
        return self.commands.get(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AdjudgeError as error:
            typer.echo(f"adjudge: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as stop:
            typer.echo("adjudge: stopped", err=True)
            raise typer.Exit(getattr(stop, "exit_code", 130)) from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"adjudge {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")]


def _options(version: Version = False) -> None:
    pass


def list_plugins(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the installed components, and the plugins that are broken or blocked."""
    found: Plugins = ctx.find_root().command.found  # type: ignore[attr-defined]
    rows: list[dict[str, str]] = [
        {"kind": kind, "name": name, "doc": entry.doc, "needs": entry.cls.needs, **asdict(entry.source)}
        for (kind, name), entry in sorted(found.entries.items())
    ]
    if as_json:
        return typer.echo(json.dumps({"components": rows, "broken": found.broken, "blocked": found.blocked}, ensure_ascii=False))
    cells = [[row["kind"], row["name"], row["doc"], row["needs"], f"{row['distribution']} {row['version']}"] for row in rows]
    print_table(["kind", "name", "what it does", "needs", "from"], cells)
    for source, reason in found.broken.items():
        typer.echo(f"broken: {source}: {reason}")
    if found.blocked:
        typer.echo(f"blocked: {', '.join(found.blocked)}")


def app_of(plugins: Plugins) -> typer.Typer:
    """The command line with the commands of these plugins."""
    about = "Train reasoning reward models, judge with them, rank with them."
    group = type("Group", (Group,), {"found": plugins})
    app = typer.Typer(cls=group, help=about, epilog="Example: adjudge run docs/runs/demo.yaml", no_args_is_help=True, **PLAIN)
    app.callback()(_options)
    app.command("run", epilog=run.EXAMPLE)(run.run)
    app.command("plugins", epilog="Example: adjudge plugins --json")(list_plugins)
    return app


def main() -> None:
    """The console entry point."""
    gc.set_threshold(100_000)  # what a start makes lives as long as the process, so a collection would find nothing
    follow_sigterm()
    logging.getLogger("adjudge").addHandler(logging.StreamHandler())
    try:
        app = app_of(Plugins.load())
    except AdjudgeError as error:
        print(f"adjudge: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    app()
