"""Tables and numbers as people read them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

FAILURES = ("unreadable", "truncated", "failed")
_KNOWN = {"n", "judgements", "accuracy", "interval", "outcomes", "mean_tokens"}
EVALUATION_COLUMNS = ("n", "accuracy", "95% interval", "unreadable/\ntruncated/\nfailed, %", "mean\ntokens")
"""Narrow enough for a terminal of 80 columns, measures included."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """A table of plain texts on standard output; columns of numbers stand to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = all(re.fullmatch(r"[-–.,%/\d]*|none", row[index]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # Without a terminal there is no width to keep to, and a program or a log is better off with whole lines.
    console = Console(width=None if sys.stdout.isatty() else 200)
    if title:
        console.print(Text(title))
    console.print(table)


def measures(metrics: Mapping[str, Any]) -> list[str]:
    """Names in an evaluation besides those that every evaluation has."""
    return [name for name in metrics if name not in _KNOWN]


def evaluation_cells(metrics: Mapping[str, Any], extra: Sequence[str]) -> list[str]:
    """An evaluation under `EVALUATION_COLUMNS` and these measures."""
    low, high = metrics["interval"]
    labelled = metrics["accuracy"] is not None
    return [
        str(metrics["n"]),
        number(metrics["accuracy"]),
        f"{low:.3f}–{high:.3f}" if labelled else "none",
        "/".join(f"{100 * metrics['outcomes'][outcome]:.1f}" for outcome in FAILURES),
        number(metrics["mean_tokens"], places=1),
        *(number(metrics.get(name)) for name in extra),
    ]


def number(value: float | None, places: int = 3) -> str:
    return "none" if value is None else f"{value:.{places}f}"


def snippet(text: str, width: int = 60) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
