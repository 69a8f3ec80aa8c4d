"""The table of a plan: its parts, their sum, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from adjudge import duration, print_table

from .plan import Part, Plan


def print_plan(plan: Plan, unseen: Sequence[str] = ()) -> None:
    """The parts, their sum where there are several, and what is not known."""
    rows = [*plan.parts, plan.total] if len(plan.parts) > 1 else list(plan.parts)
    cells = {name: [cell(row) for row in rows] for name, cell in COLUMNS.items()}
    shown = {name: texts for name, texts in cells.items() if name in ALWAYS or any(text != UNKNOWN for text in texts)}
    print_table(list(shown), [list(row) for row in zip(*shown.values(), strict=True)])
    if plan.unknown:
        typer.echo(f"The total lacks what does not say what it takes: {', '.join(plan.unknown)}.")
    for one in unseen:
        typer.echo(f"Not here, so not checked: {one}")
    typer.echo("Nothing was done: this was a dry run.")


UNKNOWN = "unknown"
ALWAYS = ("stage", "what", "judgements", "tokens in", "tokens out,\nat most")
COLUMNS: dict[str, Any] = {
    "stage": lambda part: part.stage,
    "what": lambda part: part.what,
    "matches": lambda part: _range(part.matches),
    "judgements": lambda part: _range(part.judgements),
    "steps": lambda part: _range(part.steps),
    "tokens in": lambda part: _range(part.input_tokens),
    "tokens out,\nlikely": lambda part: _number(part.likely_tokens),
    "tokens out,\nat most": lambda part: _number(part.most_tokens),
    "time": lambda part: _both(part, "seconds"),
    "cost": lambda part: _both(part, "cost"),
}


def _range(bounds: tuple[int, int] | None) -> str:
    if bounds is None:
        return UNKNOWN
    least, most = bounds
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _both(part: Part, name: str) -> str:
    """What is likely and what is the most, as far as it is known."""
    likely, most = getattr(part, f"likely_{name}"), getattr(part, f"most_{name}")
    show = duration if name == "seconds" else "{:,.2f}".format
    if most is None:
        return UNKNOWN
    return f"≤ {show(most)}" if likely is None else f"{show(likely)} (≤ {show(most)})"
