"""``adjudge scaling``: accuracy over tokens, of longer thinking and of more votes, as a table and one plot for every judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any

import typer

from adjudge import JsonOption

EXAMPLE = "Example: adjudge scaling runs/bench/budget-* --out scaling.html"


def scaling(
    folders: Annotated[list[FilePath], typer.Argument(metavar="FOLDER...", help="Of bench, eval or judge, or runs.", show_default=False)],
    *,
    out: Annotated[FilePath | None, typer.Option("--out", help="A page with a plot for every judge: an .html file.")] = None,
    evaluation: Annotated[str | None, typer.Option("--evaluation", help="Of runs: this evaluation set alone.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a judge that thinks longer with one that votes, at equal tokens.

    Folders of one judge differ in judge.thinking_budget (longer thinking) or in --seed (votes). Nothing is judged.
    """
    from .scaling import scaling as found_in

    found = found_in(folders, evaluation)
    if out is not None:
        from adjudge_report import write_scaling

        typer.echo(str(write_scaling(found, out)), err=as_json)
    typer.echo(json.dumps(found, ensure_ascii=False)) if as_json else _print(found)


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    from adjudge import number, print_table

    for one in found:
        rows = [
            ["none" if point["budget"] is None else str(point["budget"]), str(point["votes"]), number(point["tokens"], 1),
             number(point["accuracy"]["value"]), _interval(point["accuracy"]), number(point["kappa"]["value"], 2),
             str(point["accuracy"]["n"])]
            for point in one["points"]
        ]  # fmt: skip
        columns = ["thinking\nbudget", "votes", "tokens of\na verdict", "accuracy", "95% interval", "κ", "pairs"]
        print_table(columns, rows, title=f"{one['judge']}, model {one['model']}")


def _interval(figure: Mapping[str, Any]) -> str:
    return "none" if figure["interval"] is None else f"{figure['interval'][0]:.3f}–{figure['interval'][1]:.3f}"
