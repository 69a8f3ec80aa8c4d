"""``adjudge bench``: judges the problems of a benchmark, records every judgement, and scores records, new ones or somebody else's."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DEFAULT_MODEL, AsJson, EngineName, Model, NoCache, OrderName, Seed, Sets
from .show import FAILURES, number, print_table

if TYPE_CHECKING:
    from adjudge.benchmark import Benchmark
    from adjudge.records import Problem

    from .bench import Bench

EXAMPLE = "Example: adjudge bench arithmetic-levels --order both, or: adjudge bench judgebench --data pairs.jsonl --replay outputs.jsonl"

Data = Annotated[str | None, typer.Option("--data", help="File, folder, or hub:ID@SPLIT, where the benchmark takes one.")]
Replay = Annotated[
    list[str] | None,
    typer.Option("--replay", help="Score recorded judgements and ask no model: a file, a pattern in quotes, or a folder made by --out."),
]
JudgeName = Annotated[str | None, typer.Option("--judge", help="How to judge: a name, or YAML with options; else as the model says.")]
Out = Annotated[FilePath | None, typer.Option("--out", help="Folder for records and result; made from the call's settings if not given.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many problems, evenly from all; the result is partial.")]
Export = Annotated[FilePath | None, typer.Option("--export", help="Write the problems, for another program to add scores, and end.")]


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The benchmark.", show_default=False)],
    *,
    data: Data = None,
    model: Model = DEFAULT_MODEL,
    judge: JudgeName = None,
    order: OrderName = None,
    engine: EngineName = "hf",
    replay: Replay = None,
    out: Out = None,
    limit: Limit = None,
    export: Export = None,
    sets: Sets = None,
    seed: Seed = 0,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Measure a judge on a benchmark, or score recorded judgements; a stopped call goes on where it was.

    Options of the benchmark are set with, for example, --set data.unreadable=0.
    """
    asked = _asked(name, data)
    if replay or export:
        benchmark = _benchmark_alone(asked, sets or [])
        problems = _load(benchmark, limit)
        if export:
            return _write_problems(export, problems)
        result = _replayed(benchmark, problems, replay or [])
    else:
        from .bench import set_up

        chosen = [] if judge is None else [f"judge={judge}"]
        bench, folder = set_up(model, engine=engine, order=order, sets=[*chosen, *(sets or [])], seed=seed, data=asked)
        result = _judged(bench, folder, out, limit, cache=not no_cache)
    return typer.echo(json.dumps(result, ensure_ascii=False)) if as_json else _print(result)


def _asked(name: str, data: str | None) -> dict[str, Any]:
    """The benchmark as it would stand in a run file; says what is missing in the words of the command line."""
    from adjudge.benchmark import Benchmark
    from adjudge.components import Dataset
    from adjudge.errors import ConfigError
    from adjudge.manager import Plugins

    entry = Plugins.load().of_kind(Dataset).get(name)
    if entry is not None and not issubclass(entry.cls, Benchmark):
        raise ConfigError(f"{name!r} is a data set without a metric of its own.\n  Remedy: use 'adjudge eval' for its accuracy.")
    if entry is not None and data is None and "data" in entry.cls.model_fields:
        raise ConfigError(f"{name!r} needs its problems.\n  Remedy: name a file, a folder, or hub:ID@SPLIT with --data.")
    return {"use": name, **({} if data is None else {"data": data})}


def _benchmark_alone(asked: dict[str, Any], sets: Sequence[str]) -> Benchmark:
    """The benchmark without a judge; settings of anything but the data set are refused."""
    from adjudge.components import Dataset, Options
    from adjudge.config import override, validate
    from adjudge.manager import Plugins

    class Alone(Options):
        data: Dataset

    found: Any = validate(Alone, override({"data": asked}, sets), Plugins.load(), "the call").data
    benchmark: Benchmark = found
    return benchmark


def _load(benchmark: Benchmark, limit: int | None) -> list[Problem]:
    from adjudge.benchmark import spread
    from adjudge.errors import blamed_on
    from adjudge.jsonl import not_empty

    with blamed_on(benchmark, "load"):
        return spread(not_empty(benchmark.load(), benchmark.use), limit)


def _judged(bench: Bench, folder: FilePath, out: FilePath | None, limit: int | None, *, cache: bool) -> dict[str, Any]:
    """Judge what is not recorded yet, then score the records and write the result beside them."""
    from adjudge.benchmark import Benchmark, Job, judge_problems, read_recorded
    from adjudge.config import dump
    from adjudge.manager import Plugins
    from adjudge.records import stable_id
    from adjudge.rundir import Records, RunFolder, write_json

    from .bench import opened

    assert isinstance(bench.data, Benchmark)
    benchmark, problems = bench.data, _load(bench.data, limit)
    job = Job(model=bench.model, judge=bench.judge, engine=bench.engine, data=benchmark, seed=bench.seed, limit=limit)
    place = out or FilePath("runs") / "bench" / f"{benchmark.use}-{stable_id(dump(job))[:8]}"
    run = RunFolder(place, job, Plugins.load())
    try:
        records = Records(place / "records" / "judgements.jsonl")
        with opened(bench, folder, cache=cache) as session:
            judge_problems(benchmark, problems, bench.judge, session, records, seed=bench.seed)
        spec = {"model": bench.model, "judge": dump(bench.judge), "engine": bench.engine.use, "seed": bench.seed}
        result = {**_scored(benchmark, problems, read_recorded(benchmark, [records.file]), spec), "out": str(place)}
        write_json(place / "result.json", result)
    finally:
        run.close()
    return result


def _replayed(benchmark: Benchmark, problems: list[Problem], patterns: Sequence[str]) -> dict[str, Any]:
    """Score recorded judgements; those in a folder of ours come with what judged them."""
    import yaml

    from adjudge.benchmark import read_recorded
    from adjudge.errors import DataError

    files = sorted({FilePath(file) for pattern in patterns for file in glob.glob(pattern, recursive=True)})
    if not files:
        raise DataError(f"--replay: no such file: {', '.join(patterns)}.\n  Remedy: check the path or the pattern.")
    spec: dict[str, Any] = {"replayed": [str(file) for file in files]}
    for index, file in enumerate(files):
        if file.is_dir():
            files[index] = file / "records" / "judgements.jsonl"
            config = file / "config.yaml"
            spec |= yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else {}
    keep = ("replayed", "model", "judge", "engine", "seed")
    spec = {key: spec[key]["use"] if key == "engine" else spec[key] for key in keep if key in spec}
    return _scored(benchmark, problems, read_recorded(benchmark, files), spec)


def _scored(benchmark: Benchmark, problems: list[Problem], said: Any, spec: dict[str, Any]) -> dict[str, Any]:
    from adjudge.benchmark import score_records
    from adjudge.config import dump

    return {"benchmark": dump(benchmark), **spec, **score_records(benchmark, problems, said)}


def _write_problems(file: FilePath, problems: list[Problem]) -> None:
    from adjudge.benchmark import exported
    from adjudge.rundir import write_whole

    write_whole(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in exported(problems)))
    typer.echo(f"{len(problems)} problems in {file}; give each a field 'scores', one number per answer, and score it with --replay.")


# What people see ----------------------------------------------------------------------------------------------------------


def _print(result: Mapping[str, Any]) -> None:
    rows = [
        [_name(figure), number(figure["value"], 4), _interval(figure["interval"]), str(figure["n"]), _standing(figure)]
        for figure in result["figures"]
    ]
    print_table(["figure", "value", "95% interval", "n", "standing"], rows, title=f"{result['benchmark']['use']}: {_spec(result)}")
    for line in _notes(result):
        typer.echo(line)


def _interval(interval: Sequence[float] | None) -> str:
    return "none" if interval is None else f"{interval[0]:.4f}–{interval[1]:.4f}"


def _name(figure: Mapping[str, Any]) -> str:
    """A figure over incomplete groups is never called by the name of the published one."""
    return str(figure["name"]) if figure["official"] else f"{figure['name']}, PARTIAL"


def _standing(figure: Mapping[str, Any]) -> str:
    """Complete, or for want of which groups not; only a complete figure is comparable with published ones."""
    missing = figure["incomplete_groups"]
    if figure["official"]:
        return "complete"
    return f"incomplete: {', '.join(missing[:3])}{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}"


def _notes(result: Mapping[str, Any]) -> list[str]:
    rates = ", ".join(f"{100 * result['outcomes'][outcome]:.1f}% {outcome}" for outcome in ("tie", *FAILURES))
    tokens = "" if result["mean_tokens"] is None else f"; {result['mean_tokens']:.1f} tokens each"
    agree = "" if result["consistency"] is None else f"; both orders agree on {100 * result['consistency']:.1f}% of pairs"
    lines = [f"{result['problems']} problems, {result['judgements']} judgements: {rates}{tokens}{agree}"]
    wanting = {group for figure in result["figures"] for group in figure["incomplete_groups"]}
    groups = {group: have for group, have in result["groups"].items() if group in wanting}
    short = [f"{group} {have['judged']} of {have['of'] or 'an unknown number'}" for group, have in groups.items()]
    if short:
        lines.append(f"PARTIAL, not comparable with published figures: {', '.join(short)}")
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
