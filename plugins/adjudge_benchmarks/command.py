"""``adjudge bench``: judges the problems of a benchmark, records every judgement, and scores records, new ones or somebody else's."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import (
    DEFAULT_MODEL,
    ConfigError,
    DataError,
    EngineOption,
    JsonOption,
    JudgeOption,
    ModelOption,
    NoCacheOption,
    OrderOption,
    SeedOption,
    SetOption,
)  # fmt: skip

from .result_table import print_result

if TYPE_CHECKING:
    from adjudge import Problem

    from .benchmark import Benchmark
    from .config import BenchConfig

EXAMPLE = "Example: adjudge bench arithmetic-levels --order both, or: adjudge bench judgebench --data pairs.jsonl --replay outputs.jsonl"
JUDGING = ("model", "judge", "order", "engine", "out", "seed", "no_cache")
"""Arguments that say how a model judges, and mean nothing where none is asked."""

DataOption = Annotated[str | None, typer.Option("--data", help="File, folder, or hub:ID@SPLIT, where the benchmark takes one.")]
ReplayOption = Annotated[
    list[str] | None,
    typer.Option("--replay", help="Score recorded judgements and ask no model: a file, a pattern in quotes, or a folder made by --out."),
]
OutOption = Annotated[
    FilePath | None, typer.Option("--out", help="Folder for records and result; made from the call's settings if not given.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many problems, evenly from all; the result is partial.")
]
ExportOption = Annotated[FilePath | None, typer.Option("--export", help="Write the problems, for another program to add scores, and end.")]


def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The benchmark.", show_default=False)],
    *,
    data: DataOption = None,
    model: ModelOption = DEFAULT_MODEL,
    judge: JudgeOption = None,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    replay: ReplayOption = None,
    out: OutOption = None,
    limit: LimitOption = None,
    export: ExportOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a judge on a benchmark, or score recorded judgements; a stopped call goes on where it was.

    Options of the benchmark are set with, for example, --set data.unreadable=0.
    """
    from .config import BenchConfig, benchmark_of
    from .flags import refuse_flags

    asked = _asked(name, data)
    if replay or export:
        refuse_flags(context, JUDGING, "--replay" if replay else "--export")
        benchmark = benchmark_of(asked, sets or [])
        problems = _load(benchmark, limit)
        if export:
            return _write_problems(export, problems)
        result = _replayed(benchmark, problems, replay or [])
    else:
        from adjudge_judge_commands import configured

        config, folder = configured(
            BenchConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more={"data": asked}
        )
        result = _judged(config, folder, out, limit, cache=not no_cache)
    return typer.echo(json.dumps(result, ensure_ascii=False)) if as_json else print_result(result)


def _asked(name: str, data: str | None) -> dict[str, Any]:
    """The benchmark as it would stand in a run file; says what is missing in the words of the command line."""
    from adjudge import Dataset, Plugins

    from .benchmark import Benchmark
    from .config import NO_METRIC

    entry = Plugins.load().of_kind(Dataset).get(name)
    if entry is not None and not issubclass(entry.cls, Benchmark):
        raise ConfigError(NO_METRIC.format(name))
    if entry is not None and data is None and "data" in entry.cls.model_fields:
        raise ConfigError(f"{name!r} needs its problems.\n  Remedy: name a file, a folder, or hub:ID@SPLIT with --data.")
    return {"use": name, **({} if data is None else {"data": data})}


def _load(benchmark: Benchmark, limit: int | None) -> list[Problem]:
    from adjudge import boundary, not_empty

    from .runner import evenly

    with boundary(benchmark, "load"):
        return evenly(_told_apart(not_empty(benchmark.load(), benchmark.use), benchmark.use), limit)


def _told_apart(problems: Sequence[Problem], where: str) -> list[Problem]:
    """The problems, each under an id of its own, by which its judgements are known; says which of them got one."""
    from dataclasses import replace

    from adjudge import unique_ids

    found = [replace(one, id=ident) for one, ident in zip(problems, unique_ids(one.id for one in problems), strict=True)]
    renamed = [f"{one.id!r} (problem {place})" for place, (one, old) in enumerate(zip(found, problems, strict=True), 1) if one.id != old.id]
    if renamed:
        more = f" and {len(renamed) - 10} more" if len(renamed) > 10 else ""
        print(f"{where}: ids of earlier problems repeat; those that repeat one are called {', '.join(renamed[:10])}{more}", file=sys.stderr)
    return found


def _judged(config: BenchConfig, folder: FilePath, out: FilePath | None, limit: int | None, *, cache: bool) -> dict[str, Any]:
    """Judge what is not recorded yet, then score the records and write the result beside them."""
    from adjudge import Plugins, Records, RunFolder, dump, hash_of_folder, hash_of_problems, stable_id, write_json
    from adjudge_judge_commands import opened

    from .config import Job
    from .runner import judge_problems, read_recorded

    benchmark = config.benchmark
    problems = _load(benchmark, limit)
    job = Job(model=config.model, judge=config.judge, engine=config.engine, data=benchmark, seed=config.seed, limit=limit)
    place = out or FilePath("runs") / "bench" / f"{benchmark.use}-{stable_id(dump(job))[:8]}"
    inputs = {"model": hash_of_folder(folder), "data": hash_of_problems(problems)}
    run = RunFolder(place, job, Plugins.load(), inputs)
    try:
        records = Records(place / "records" / "judgements.jsonl")
        with opened(config, folder, cache=cache) as judge:
            judge_problems(benchmark, problems, judge.options, judge.session, records, seed=judge.seed)
        spec = {"model": config.model, "judge": dump(config.judge), "engine": config.engine.use, "seed": config.seed}
        result = {**_scored(benchmark, problems, read_recorded(benchmark, [records.file]), spec), "out": str(place)}
        write_json(place / "result.json", result)
    finally:
        run.close()
    return result


def _replayed(benchmark: Benchmark, problems: list[Problem], patterns: Sequence[str]) -> dict[str, Any]:
    """Score recorded judgements; those in a folder of ours come with what judged them."""
    import yaml

    from .runner import read_recorded

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
    from adjudge import dump

    from .runner import score_records

    return {"benchmark": dump(benchmark), **spec, **score_records(benchmark, problems, said)}


def _write_problems(file: FilePath, problems: list[Problem]) -> None:
    from adjudge import write_whole

    from .runner import exported

    write_whole(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in exported(problems)))
    typer.echo(f"{len(problems)} problems in {file}; give each a field 'scores', one number per answer, and score it with --replay.")
