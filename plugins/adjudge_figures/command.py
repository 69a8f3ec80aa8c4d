"""``adjudge compare``: two judges, or two versions of one, on the pairs that both have judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any

import typer

from adjudge import JsonOption

EXAMPLE = "Example: adjudge compare runs/demo/stages/1-grpo runs/demo/stages/3-grpo --fail-if worse"
LEVEL = 0.05
"""A difference with a larger p-value is not one."""


class FailIf(StrEnum):
    WORSE = "worse"
    DIFFERENT = "different"


def compare(
    a: Annotated[FilePath, typer.Argument(metavar="A", help="A folder of judge, eval, bench or run, or a file.", show_default=False)],
    b: Annotated[FilePath, typer.Argument(metavar="B", help="The same of the other judge, or of its next version.", show_default=False)],
    *,
    evaluation: Annotated[str | None, typer.Option("--evaluation", help="Of runs: this evaluation set alone.")] = None,
    flips: Annotated[int, typer.Option("--flips", min=0, help="Pairs with another verdict to print; --json has them all.")] = 10,
    fail_if: Annotated[FailIf | None, typer.Option("--fail-if", help="End with 1 where B is shown to be that.")] = None,
    max_changed: Annotated[
        float | None, typer.Option("--max-changed", min=0, max=1, help="End with 1 where a larger share of verdicts has changed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two judges on the same pairs: the difference with its interval, McNemar's exact test, and every verdict that changed.

    Nothing is judged. A run's folder stands for its last stage; RUN/stages/NAME is another one.
    """
    from adjudge import JobError

    from .comparison import compared
    from .sides import read_side

    found = compared(read_side(a, evaluation), read_side(b, evaluation))
    typer.echo(json.dumps(found, ensure_ascii=False)) if as_json else _print(found, flips)
    if failures := list(_failures(found, fail_if, max_changed)):
        raise JobError("; ".join(failures))


def _failures(found: Mapping[str, Any], fail_if: FailIf | None, max_changed: float | None) -> Iterator[str]:
    difference, changed = found["paired"]["difference"]["value"], found["changed"]["value"]
    shown = difference is not None and found["paired"]["mcnemar_p"] <= LEVEL
    if shown and (fail_if == FailIf.DIFFERENT or (fail_if == FailIf.WORSE and difference < 0)):
        yield f"--fail-if {fail_if}: B is right {_points(difference)} points {'less' if difference < 0 else 'more'} often"
    if max_changed is not None and changed is not None and changed > max_changed:
        yield f"--max-changed {max_changed:g}: {100 * changed:.1f}% of verdicts have changed"


def _points(difference: float) -> str:
    return f"{100 * abs(difference):.1f}"


def _print(found: Mapping[str, Any], flips: int) -> None:
    """Findings first, then the table, then the pairs."""
    from adjudge import FAILURES, number, print_table, snippet

    for line in _findings(found):
        typer.echo(line)
    rows = [
        [name, number(one["accuracy"]["value"]), _interval(one["accuracy"]), number(one["kappa"]["value"], 2), _interval(one["kappa"], 2),
         "/".join(f"{100 * one['outcomes'][outcome]:.1f}" for outcome in FAILURES), number(one["mean_tokens"], 1)]
        for name, one in (("A", found["a"]), ("B", found["b"]))
    ]  # fmt: skip
    print_table(["", "accuracy", "95% interval", "κ", "95% interval", "unreadable/\ntruncated/\nfailed, %", "mean\ntokens"], rows)
    for name in ("a", "b"):
        one = found[name]
        typer.echo(f"{name.upper()}: {one['name']}" + (f", model {one['model']}" if one["model"] else ""))
    for line in _facts(found):
        typer.echo(line)
    if flips and found["flips"]:
        shown = sorted(found["flips"], key=lambda one: ("lost", "gained", "other").index(one["kind"]))[:flips]
        cells = [[one["id"], one["kind"], one["label"] or "none", one["a"], one["b"], snippet(one["prompt"] or "", 40)] for one in shown]
        print_table(["pair", "B has", "right", "A", "B", "prompt"], cells)
        if len(found["flips"]) > len(shown):
            typer.echo(f"{len(found['flips']) - len(shown)} more verdicts changed (--flips, --json)")


def _findings(found: Mapping[str, Any]) -> Iterator[str]:
    paired, difference = found["paired"], found["paired"]["difference"]
    if difference["value"] is None:
        yield f"No pair has a label, so it is not told which judge is right more often; {found['items']} pairs were judged by both."
    else:
        low, high = difference["interval"]
        size = f"{100 * difference['value']:+.1f} points, 95% {100 * low:+.1f} to {100 * high:+.1f}, McNemar p {_p(paired['mcnemar_p'])}"
        counts = f"{paired['only_b_right']} pairs only B judges right, {paired['only_a_right']} only A"
        if paired["mcnemar_p"] <= LEVEL:
            yield f"B is right {'more' if difference['value'] > 0 else 'less'} often than A: {size}; {counts}."
        else:
            least = "no difference" if paired["detectable"] is None else f"one from {100 * paired['detectable']:.1f} points on"
            yield f"It is not shown that A and B differ: {size}; {counts}. So many pairs show {least}, four times in five."
    changed, chance = found["changed"], found["changed_by_chance"]
    if changed["value"] is not None:
        by_chance = "" if chance["value"] is None else f"; two samples of one judge differ on {100 * chance['value']:.0f}%"
        yield f"The verdict changed on {100 * changed['value']:.0f}% of {changed['n']} pairs ({_percents(changed['interval'])}){by_chance}."


def _facts(found: Mapping[str, Any]) -> Iterator[str]:
    if found["kappa_between"]["value"] is not None:
        yield f"Cohen's κ between A and B: {found['kappa_between']['value']:.2f} ({_interval(found['kappa_between'], 2)})"
    for what, count in (("pairs are in A alone", found["only_in_a"]), ("in B alone", found["only_in_b"])):
        if count:
            yield f"{count} {what}, and left out"
    if found["failed"]:
        yield f"{found['failed']} pairs are left out because a call about them failed"
    for name, one, other in list(_differences(found["differs"]))[:10]:
        yield f"differs: {name}: {_setting(one)} in A, {_setting(other)} in B"


def _differences(differs: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What differs, name by name; where another component stands in a place, its name alone, for all of its options are others."""
    replaced = [name.removesuffix(".use") for name in differs if name.endswith(".use")]
    for name, (one, other) in differs.items():
        place = min((part for part in replaced if name.startswith(f"{part}.")), key=len, default=None)
        if place is None:
            yield name, one, other
        elif name == f"{place}.use":
            yield place, one, other


def _setting(value: Any) -> str:
    from adjudge import snippet

    return "not set" if value is None else snippet(str(value), 60)


def _interval(figure: Mapping[str, Any], places: int = 3) -> str:
    bounds: Sequence[float] | None = figure["interval"]
    return "none" if bounds is None else f"{bounds[0]:.{places}f}–{bounds[1]:.{places}f}"


def _percents(bounds: Sequence[float]) -> str:
    return f"95% {100 * bounds[0]:.0f} to {100 * bounds[1]:.0f}"


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
