"""The command line: one command per file of `adjudge.commands`; mistakes become one message and an exit code, never a traceback.

Exit codes: 0 fine, 1 the job failed, 2 the call or the configuration is wrong, 130 stopped with Ctrl-C, 143 stopped with SIGTERM.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__
from .commands import benchmark, evaluate, health, judge, listing, new_plugin, plan, rank, report, run, score
from .errors import AdjudgeError
from .stopping import follow_sigterm


class Group(TyperGroup):
    """Commands whose errors are told in one message on standard error."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AdjudgeError as error:
            typer.echo(f"adjudge: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as stop:
            typer.echo("adjudge: stopped", err=True)
            raise typer.Exit(getattr(stop, "exit_code", 130)) from None


app = typer.Typer(
    cls=Group,
    help="Train reasoning reward models, judge with them, rank with them.",
    epilog="Example: adjudge run docs/runs/demo.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"adjudge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")] = False,
) -> None:
    pass


app.command("run", epilog=run.EXAMPLE)(run.run)
app.command("plan", epilog=plan.EXAMPLE)(plan.plan)
app.command("judge", epilog=judge.EXAMPLE)(judge.judge)
app.command("rank", epilog=rank.EXAMPLE)(rank.rank)
app.command("score", epilog=score.EXAMPLE)(score.score)
app.command("eval", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("health", epilog=health.EXAMPLE)(health.health)
app.command("bench", epilog=benchmark.EXAMPLE)(benchmark.bench)
app.command("report", epilog=report.EXAMPLE)(report.report)
app.command("plugins", epilog=listing.PLUGINS_EXAMPLE)(listing.plugins)
app.command("schema", epilog=listing.SCHEMA_EXAMPLE)(listing.schema)
app.command("new-plugin", epilog=new_plugin.EXAMPLE)(new_plugin.new_plugin)


def main() -> None:
    """The console entry point."""
    follow_sigterm()
    logging.getLogger("adjudge").addHandler(logging.StreamHandler())
    app()
