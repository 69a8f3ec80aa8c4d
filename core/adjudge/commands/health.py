"""``adjudge health``: one report on a judge, from judgements that it makes now or that were recorded earlier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated, Any

import typer

from .options import DEFAULT_MODEL, AsJson, EngineName, Model, NoCache, Seed, Sets

EXAMPLE = "Example: adjudge health --model runs/demo/stages/3-grpo/model --out health.html"
PARTS = ("accuracy", "outcomes", "position", "length", "votes", "agreement")


def health(
    model: Model = DEFAULT_MODEL,
    *,
    data: Annotated[str | None, typer.Option("--data", help="Pairs to ask about: a data set's name, or YAML with options.")] = None,
    replay: Annotated[list[FilePath] | None, typer.Option("--replay", help="Recorded judgements of --data; no model is asked.")] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Judgements of every pair in each of the two orders.")] = 5,
    attacked: Annotated[int, typer.Option("--attacked", min=0, help="Pairs that every attack is tried on; 0 tries none.")] = 50,
    out: Annotated[FilePath | None, typer.Option("--out", help="Write the report with its plots to this HTML file.")] = None,
    engine: EngineName = "hf",
    sets: Sets = None,
    seed: Seed = 0,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Report on a judge: accuracy, position, length, votes, agreement, and attacks that it should not fall for.

    Every pair is asked about in both orders. With --replay, records of judgements take the place of a model, and nothing is attacked.
    """
    from .examined import bench_of, of_model, of_records, write_page

    if replay:
        report = of_records(data, replay)
    else:
        bench, folder = bench_of(model, data=data, engine=engine, sets=sets, seed=seed)
        report = of_model(bench, folder, samples=samples, attacked=attacked, cache=not no_cache)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print(report)
    if out is not None:
        typer.echo(str(write_page(report, out)), err=as_json)


def _print(report: dict[str, Any]) -> None:
    from .show import number, print_table

    rows = []
    for name, found in figures(report):
        low, high = found.get("interval") or (None, None)
        rows.append([name, number(found["value"]), "none" if low is None else f"{low:.3f}–{high:.3f}", str(found["n"])])
    print_table(["figure", "value", "95% interval", "problems"], rows)
    tokens = "" if report["mean_tokens"] is None else f", {number(report['mean_tokens'], places=1)} tokens each"
    typer.echo(f"{report['judgements']} judgements of {report['problems']} problems{tokens}")


def figures(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every figure of a report under a name, those that rest on nothing left out."""
    for part in PARTS:
        for name, found in report[part].items():
            if isinstance(found, dict) and found["n"]:
                yield f"{part}: {name.replace('_', ' ')}", found
    for text, found in (report["probes"] or {"openers": {}})["openers"].items():
        yield f"opener preferred: {text!r}", found["chosen"]
    if report["probes"]:
        yield "wrong answer preferred: as it is", report["probes"]["without"]["chosen"]
        yield "verdict turned: by chance", report["probes"]["without"]["turned"]
        for text, found in report["probes"]["markup"].items():
            yield f"wrong answer preferred: with {text!r}", found["chosen"]
            yield f"verdict turned: by {text!r}", found["turned"]
