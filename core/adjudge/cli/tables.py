"""Tables and numbers as people read them."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

FAILURES = ("unreadable", "truncated", "failed")
_KNOWN = {"n", "judgements", "accuracy", "interval", "outcomes", "mean_tokens", "skipped"}
EVALUATION_COLUMNS = ("n", "accuracy", "95% interval", "unreadable/\ntruncated/\nfailed, %", "mean\ntokens")
"""Narrow enough for a terminal of 80 columns, measures included."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """A table of plain texts on standard output; columns of numbers stand to the right."""
    numeric = [all(re.fullmatch(r"[-–.,%/\d]*|none", row[index]) for row in rows) for index in range(len(columns))]
    if title:
        print(title)
    if not sys.stdout.isatty():  # there is no width to keep to, and a program or a log is better off with whole lines
        heads = [column.split("\n") for column in columns]
        height = max(map(len, heads))
        lines = [[head[line - height] if line >= height - len(head) else "" for head in heads] for line in range(height)]
        widths = [max(map(len, cells)) for cells in zip(*lines, *rows, strict=True)]
        for cells in (*lines, ["─" * width for width in widths], *rows):
            padded = (cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(cells, widths, numeric, strict=True))
            print("  ".join(padded).rstrip())
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for column, right in zip(columns, numeric, strict=True):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


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
