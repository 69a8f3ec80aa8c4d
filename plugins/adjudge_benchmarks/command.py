"""``adjudge bench``: judges the problems of a benchmark, records every judgement, and scores records, new ones or somebody else's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ConfigError, ModelOption, PriceInOption, PriceOutOption, SetOption, SpeedOption
from adjudge_judge_commands import (
    DataOption,
    DryRunOption,
    EngineOption,
    JsonOption,
    JudgeOption,
    LimitOption,
    NoCacheOption,
    OrderOption,
    OutOption,
    SeedOption,
)

from .result_table import print_result

if TYPE_CHECKING:
    from adjudge import Plugins, Problem

    from .benchmark import Benchmark
    from .config import BenchConfig, Job
    from .loading import Loaded

EXAMPLE = "Example: adjudge bench arithmetic-levels --order both, or: adjudge bench judgebench --data pairs.jsonl --replay outputs.jsonl"
JUDGING = ("model", "judge", "order", "engine", "out", "seed", "no_cache", "dry_run", "tokens_per_second", "price_in", "price_out")
"""Arguments that say how a model judges, and mean nothing where none is asked."""

ReplayOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replay",
        help="Score recorded judgements and ask no model: a file, a pattern in quotes, or a folder made by --out; swapped:FILE for verdicts"
        " that name no problem, made with the answers swapped.",
    ),
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
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a judge on a benchmark, or score recorded judgements; a stopped call goes on where it was.

    --data is a file, a folder, or hub:ID@SPLIT. Options of the benchmark are set with, for example, --set data.unreadable=0.
    """
    from .config import BenchConfig, benchmark_of
    from .flags import refuse_flags
    from .loading import evenly, loaded

    asked = _asked(name, data)
    if replay or export:
        refuse_flags(context, JUDGING, "--replay" if replay else "--export")
        benchmark = benchmark_of(asked, sets or [])
        found = loaded(benchmark)
        problems = evenly(found.problems, limit)
        if export:
            return _write_problems(export, problems)
        result = _replayed(benchmark, found, problems, replay or [])
    else:
        from adjudge_judge_commands import configured

        config, folder = configured(
            BenchConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more={"data": asked}
        )
        found = loaded(config.benchmark)
        problems, place = evenly(found.problems, limit), out or _folder_of(config, limit)
        if dry_run:
            from adjudge_plan import rates

            from .dry_run import show_plan

            known = rates(tokens_per_second, price_in, price_out)
            return show_plan(config, folder, found, problems, place, known, as_json=as_json)
        result = _judged(config, folder, found, problems, place, limit, cache=not no_cache)
    typer.echo(json.dumps(result, ensure_ascii=False)) if as_json else print_result(result)
    if not replay:
        from adjudge import Outcome
        from adjudge_report import check_readable

        check_readable(config.judge, (one for one in Outcome for _ in range(round(result["outcomes"][one.value] * result["judgements"]))))
    return None


def _asked(name: str, data: str | None) -> dict[str, Any]:
    """The benchmark as it would stand in a run file; says what is missing in the words of the command line."""
    from adjudge import Dataset, Plugins

    from .benchmark import Benchmark
    from .config import NO_METRIC

    plugins = Plugins.load()
    entry = plugins.of_kind(Dataset).get(name)
    if entry is None:
        raise _no_such(plugins, name)
    if not issubclass(entry.cls, Benchmark):
        raise ConfigError(NO_METRIC.format(name))
    if data is None and "data" in entry.cls.model_fields:
        raise ConfigError(f"{name!r} needs its problems.\n  Remedy: name a file, a folder, or hub:ID@SPLIT with --data.")
    return {"use": name, **_options(data)}


def _options(data: str | None) -> Mapping[str, Any]:
    """What ``--data`` says: where the rows are, or options of the benchmark as YAML or in a .yaml file."""
    from adjudge_judge_commands import from_yaml

    if data is None:
        return {}
    given = from_yaml("--data", data) if data.lstrip().startswith("{") or data.endswith((".yaml", ".yml")) else data
    return given if isinstance(given, Mapping) else {"data": given}


def _no_such(plugins: Plugins, name: str) -> ConfigError:
    """That there is no benchmark of this name, with those that there are."""
    from adjudge import Dataset, did_you_mean

    from .benchmark import Benchmark

    known = [use for use, entry in plugins.of_kind(Dataset).items() if issubclass(entry.cls, Benchmark)]
    broken = "".join(f"\n    not loaded: {source}: {reason}" for source, reason in plugins.broken.items())
    return ConfigError(
        f"no benchmark is called {name!r}{did_you_mean(name, known)}   (installed: {', '.join(known)}){broken}\n"
        "  Remedy: name one of these; for other labelled data there is 'adjudge eval'."
    )


def _job(config: BenchConfig, limit: int | None) -> Job:
    from .config import Job

    return Job(model=config.model, judge=config.judge, engine=config.engine, data=config.benchmark, seed=config.seed, limit=limit)


def _folder_of(config: BenchConfig, limit: int | None) -> FilePath:
    """The folder of a call that names none, made from its settings."""
    from adjudge import dump, stable_id

    settings = dump(_job(config, limit))
    if config.benchmark.identical == "leave-out":  # an option that came later, at its default
        del settings["data"]["identical"]
    return FilePath("runs") / "bench" / f"{config.benchmark.use}-{stable_id(settings)[:8]}"


def _judged(
    config: BenchConfig, folder: FilePath, found: Loaded, problems: Sequence[Problem], place: FilePath, limit: int | None, *, cache: bool
) -> dict[str, Any]:
    """Judge what is not recorded yet, then score the records and write the result beside them."""
    from adjudge import Plugins, Records, RunFolder, dump, hash_of_folder, hash_of_problems, write_json
    from adjudge_judge_commands import answered_by, opened

    from .recorded_files import each_of_ours
    from .runner import judge_problems

    benchmark, inputs = config.benchmark, {"model": hash_of_folder(folder), "data": hash_of_problems(problems)}
    run = RunFolder(place, _job(config, limit), Plugins.load(), inputs)
    try:
        records = Records(place / "records" / "judgements.jsonl")
        with opened(config, folder, cache=cache) as judge:
            judge_problems(benchmark, problems, judge.options, judge.session, records, seed=judge.seed, at_once=judge.session.at_once)
        records.close()
        answered = answered_by(config.engine, config.model)
        spec = {"model": answered, "judge": dump(config.judge), "engine": config.engine.use, "seed": config.seed}
        result = {**_scored(benchmark, found, problems, each_of_ours(records), spec), "out": str(place), "records": str(records.file)}
        write_json(place / "result.json", result)
    finally:
        run.close()
    return result


def _replayed(benchmark: Benchmark, found: Loaded, problems: Sequence[Problem], patterns: Sequence[str]) -> dict[str, Any]:
    """Score recorded judgements; those in a folder of ours come with what judged them."""
    import yaml

    from .recorded_files import Recording, read_recorded, recordings

    files = recordings(patterns)
    spec: dict[str, Any] = {"replayed": [str(one.file) for one in files]}
    for index, one in enumerate(files):
        if one.file.is_dir():
            files[index] = Recording(one.file / "records" / "judgements.jsonl")
            for name in ("config.yaml", "result.json"):
                told = one.file / name
                spec |= yaml.safe_load(told.read_text(encoding="utf-8")) if told.is_file() else {}
    keep = ("replayed", "model", "judge", "engine", "seed")
    spec = {key: spec[key]["use"] if isinstance(spec[key], dict) and key == "engine" else spec[key] for key in keep if key in spec}
    return _scored(benchmark, found, problems, read_recorded(benchmark, files, found.everything), spec)


def _scored(benchmark: Benchmark, found: Loaded, problems: Sequence[Problem], said: Iterable[Any], spec: dict[str, Any]) -> dict[str, Any]:
    from adjudge import dump

    from .runner import score_records

    kept = (one for one in said if one.problem_id not in found.apart)
    counted = {"left_out": found.left_out, "repeated": found.repeated}
    return {"benchmark": dump(benchmark), **spec, **score_records(benchmark, problems, kept), **counted}


def _write_problems(file: FilePath, problems: Sequence[Problem]) -> None:
    from adjudge import write_whole

    from .runner import exported

    write_whole(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in exported(problems)))
    typer.echo(f"{len(problems)} problems in {file}; give each a field 'scores', one number per answer, and score it with --replay.")
