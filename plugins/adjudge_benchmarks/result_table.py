"""A benchmark's result as people read it: metrics with their intervals, what is missing, and what became of the judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from adjudge import FAILURES, number, print_table


def print_result(result: Mapping[str, Any]) -> None:
    """The metrics in a table, and under it what they rest on."""
    rows = [
        [_name(metric), number(metric["value"], 4), _interval(metric["interval"]), str(metric["n"]), _standing(metric)]
        for metric in result["figures"]
    ]
    print_table(["figure", "value", "95% interval", "n", "standing"], rows, title=f"{result['benchmark']['use']}: {_spec(result)}")
    for line in _notes(result):
        typer.echo(line)


def _interval(interval: Sequence[float] | None) -> str:
    return "none" if interval is None else f"{interval[0]:.4f}–{interval[1]:.4f}"


def _name(metric: Mapping[str, Any]) -> str:
    """A metric over incomplete groups is never called by the name of the published one."""
    return str(metric["name"]) if metric["official"] else f"{metric['name']}, PARTIAL"


def _standing(metric: Mapping[str, Any]) -> str:
    """Complete, or for want of which groups not; only a complete metric is comparable with published ones."""
    missing = metric["incomplete_groups"]
    if metric["official"]:
        return "complete"
    return f"incomplete: {', '.join(missing[:3])}{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}"


def _notes(result: Mapping[str, Any]) -> list[str]:
    from adjudge_figures import told_kappa

    rates = ", ".join(f"{100 * result['outcomes'][outcome]:.1f}% {outcome}" for outcome in ("tie", *FAILURES))
    tokens = "" if result["mean_tokens"] is None else f"; {result['mean_tokens']:.1f} tokens each"
    agree = "" if result["consistency"] is None else f"; both orders agree on {100 * result['consistency']:.1f}% of pairs"
    lines = [f"{result['problems']} problems, {result['judgements']} judgements: {rates}{tokens}{agree}"]
    lines.append(told_kappa(result["kappa"]))
    wanting = {group for metric in result["figures"] for group in metric["incomplete_groups"]}
    groups = {group: have for group, have in result["groups"].items() if group in wanting}
    short = [f"{group} {have['judged']} of {have['of'] or 'an unknown number'}" for group, have in groups.items()]
    if short:
        lines.append(f"PARTIAL, not comparable with published figures: {', '.join(short)}")
    if result.get("left_out"):
        lines.append(f"Left out for equal answers of which one is called better: {result['left_out']} (data.identical: count counts them)")
    if result["unmatched_records"]:
        lines.append(f"{result['unmatched_records']} records are about other problems and were left out")
    return [*lines, f"Folder: {result['out']}"] if "out" in result else lines


def _spec(result: Mapping[str, Any]) -> str:
    """Who judged, in a line."""
    judge = result.get("judge")
    how = f"{result['model']}, judge {judge['use']}, order {judge['order']}" if judge else ""
    replayed = result.get("replayed", [])
    what = f"recorded in {replayed[0]}{f' and {len(replayed) - 1} more files' if len(replayed) > 1 else ''}" if replayed else ""
    return ", ".join(filter(None, (how, what)))
