"""``adjudge health``: one report on a judge, from judgements that it makes now or that were recorded earlier."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, PriceInOption, PriceOutOption, SetOption, SpeedOption, number, print_table
from adjudge_judge_commands import (
    DataOption,
    DryRunOption,
    EngineOption,
    JsonOption,
    JudgeOption,
    LimitOption,
    NoCacheOption,
    OutOption,
    SeedOption,
)

EXAMPLE = "Example: adjudge health --model runs/demo/stages/3-grpo/model --out health.html"
ASKING = (
    "model", "judge", "samples", "attacked", "engine", "seed", "dry_run", "tokens_per_second", "price_in", "price_out", "no_cache",
)  # fmt: skip
"""Arguments that say how a model is asked, and mean nothing where none is."""
PAGES = (".html", ".htm")
PARTS = (
    "accuracy",
    "outcomes",
    "position",
    "leans",
    "length",
    "votes",
    "calibration",
    "agreement",
    "reasoning",
    "transitivity",
    "corrected",
)
"""Parts in the order in which the table has them; those of other plugins follow."""


def health(
    context: typer.Context,
    model: ModelOption = DEFAULT_MODEL,
    *,
    data: DataOption = None,
    judge: JudgeOption = None,
    replay: Annotated[list[str] | None, typer.Option("--replay", help="Recorded judgements of --data; no model is asked.")] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Judgements of every pair in each of the two orders.")] = 5,
    attacked: Annotated[int, typer.Option("--attacked", min=0, help="Pairs that every attack is tried on; 0 tries none.")] = 50,
    engine: EngineOption = "hf",
    limit: LimitOption = None,
    out: OutOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report on a judge: accuracy, position, length, votes, agreement, and attacks that it should not fall for.

    Every pair is asked about in both orders. With --replay, records of judgements take the place of a model, and nothing is attacked.
    --out may also be an .html file, which then is all that is kept: the report with its plots.
    """
    from adjudge import write_json
    from adjudge_benchmarks import refuse_flags

    from .page import page_writer
    from .sources import config_of, of_model, of_records, show_plan

    if replay:
        refuse_flags(context, ASKING, "--replay")
    kept = None if out is None or out.suffix.lower() in PAGES else out
    write = None if out is None else page_writer(out if kept is None else kept / "report.html")
    if replay:
        report = of_records(data, replay, sets, limit)
    else:
        config, folder = config_of(model, data=data, engine=engine, judge=judge, sets=sets, seed=seed, attacked=attacked, limit=limit)
        if dry_run:
            from adjudge_plan import rates

            return show_plan(config, folder, samples, rates(tokens_per_second, price_in, price_out), as_json=as_json)
        report = of_model(config, folder, samples=samples, cache=not no_cache, out=kept)
    if kept is not None:
        write_json(kept / "result.json", report)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print(report)
    if write is not None:
        typer.echo(str(write(report)), err=as_json)
    if not replay and "outcomes" in report:
        from adjudge import Outcome
        from adjudge_report import check_readable

        shares = {one: report["outcomes"][one.value]["value"] or 0 for one in Outcome}
        check_readable(config.judge, (one for one, share in shares.items() for _ in range(round(share * report["judgements"]))))


def _print(report: Mapping[str, Any]) -> None:
    for line in told(report["findings"]):
        typer.echo(line)
    rows = []
    for name, found in metrics_of(report):
        low, high = found.get("interval") or (None, None)
        rows.append([name, number(found["value"]), "none" if low is None else f"{low:.3f}–{high:.3f}", str(found["n"])])
    print_table(["figure", "value", "95% interval", "problems"], rows)
    tokens = "" if report["mean_tokens"] is None else f", {number(report['mean_tokens'], places=1)} tokens each"
    typer.echo(f"{report['judgements']} judgements of {report['problems']} problems{tokens}")


def told(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Findings as lines: what alarms, then what was looked for and is not shown."""
    alarms = [one for one in found if one["alarm"]]
    yield f"{len(alarms)} finding{'' if len(alarms) == 1 else 's'}:" if alarms else "Nothing alarming is shown by these judgements."
    yield from (f"  ! {one['said']}" for one in alarms)
    if len(alarms) < len(found):
        yield "Looked for:"
        yield from (f"  - {one['said']}" for one in found if not one["alarm"])


def metrics_of(report: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every metric of a report under a name, those that rest on nothing left out."""
    others = [name for name, part in report.items() if isinstance(part, dict) and name not in (*PARTS, "judge", "data", "probes")]
    for part in (*(part for part in PARTS if part in report), *others):
        for name, found in report[part].items():
            if isinstance(found, dict) and "value" in found and found.get("n"):
                yield f"{part}: {name.replace('_', ' ')}", found
    attacks = report["probes"] or {}
    for text, found in attacks.get("openers", {}).items():
        yield f"opener preferred: {text!r}", found["chosen"]
    if "markup" in attacks:
        yield "wrong answer preferred: as it is", attacks["without"]["chosen"]
        yield "verdict turned: by chance", attacks["without"]["turned"]
        for text, found in attacks["markup"].items():
            yield f"wrong answer preferred: with {text!r}", found["chosen"]
            yield f"verdict turned: by {text!r}", found["turned"]
