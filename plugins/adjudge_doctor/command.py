"""``adjudge doctor``: what a model folder is, and which installed judge the model can follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import JobError, SeedOption
from adjudge_judge_commands import DataOption, EngineOption, JsonOption, LimitOption, NoCacheOption

if TYPE_CHECKING:
    from adjudge import Engine, Judge, Plugins, Problem

    from .trial import Trial

EXAMPLE = "Example: adjudge doctor --model path/to/model, or: adjudge doctor --model path/to/model --data pairs.jsonl --limit 16"
ModelOption = Annotated[str, typer.Option("--model", "-m", help="Model folder, or package:folder.", show_default=False)]
JudgesOption = Annotated[str | None, typer.Option("--judges", help="Only these judges: names with commas between them, or YAML.")]
TokensOption = Annotated[
    int, typer.Option("--max-new-tokens", min=1, help="Tokens that a judgement may take here, where its judge allows more.")
]


def doctor(
    model: ModelOption,
    *,
    data: DataOption = None,
    engine: EngineOption = "hf",
    judges: JudgesOption = None,
    limit: LimitOption = 16,
    max_new_tokens: TokensOption = 512,
    seed: SeedOption = 0,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a model is, try every installed judge on it, and recommend one.

    Each judge is asked about 16 easy pairs, or those of --data, in both orders; one of which nothing can be read after four pairs is given
    up. Judges that need options of their own, such as `template`, are left out, unless --judges has them. At the end stands what to write
    into a run file.
    """
    from adjudge import Engine, Plugins, boundary, find_model, open_judge, validate
    from adjudge_judge_commands import from_yaml

    from .facts import facts_of
    from .trial import recommended

    plugins, folder = Plugins.load(), find_model(model)
    chosen = validate(Engine, from_yaml("--engine", engine), plugins, "--engine")
    problems = _problems(data, limit, plugins)
    candidates = _judges(plugins, judges, max_new_tokens)
    for candidate in candidates:
        with boundary(chosen, "check_judge"):
            chosen.check_judge(candidate)
    facts = {} if chosen.ignores_model_folder else facts_of(folder)
    if not as_json:
        for name, value in facts.items():
            typer.echo(f"{name}: {value}")
    with open_judge(folder, engine=chosen, judge=candidates[0], seed=seed, cache=not no_cache, plugins=plugins) as opened:
        trials = list(_trials(candidates, problems, opened.session.session, seed))
    best = recommended(trials)
    snippet = None if best is None else _snippet(model, chosen, best)
    if as_json:
        typer.echo(json.dumps({"model": facts, "trials": [one.row() for one in trials], "recommended": snippet}, ensure_ascii=False))
    else:
        _print(trials, best, snippet)
    errors = [path.completion.error for trial in trials for path in trial.paths if path.completion.error]
    if errors and not any(trial.back for trial in trials):
        raise JobError(f"calls to engine {chosen.use!r} that failed: all {len(errors)}, the last with: {errors[-1]}")
    if errors:
        typer.echo(f"{len(errors)} call{'s' * (len(errors) > 1)} failed, the last with: {errors[-1]}", err=True)
    if best is None:
        told = "nothing that the model wrote is a verdict to any of these judges"
        raise JobError(f"{told}.\n  Remedy: raise --max-new-tokens, or write a judge of your own: {{use: template, …}}.")


def _problems(data: str | None, limit: int | None, plugins: Plugins) -> Sequence[Problem]:
    from adjudge import Dataset, check_pairs, validate
    from adjudge_data import problems_of
    from adjudge_judge_commands import data_set, is_rows, read_problems, some_of

    from .pairs import PAIRS

    if data is None:
        return PAIRS[:limit]
    if is_rows(data):
        return some_of(read_problems(FilePath(data), pairs=True, skip_bad_lines=None), limit)
    source = validate(Dataset, data_set(data), plugins, "--data")
    found = some_of(problems_of(source, "--data"), limit)
    check_pairs(found, "--data", labelled=False)
    return found


def _judges(plugins: Plugins, names: str | None, most: int) -> list[Judge]:
    """Every installed judge that needs no options, asking in both orders, or those that are named or written in YAML."""
    from adjudge import ConfigError, Judge, did_you_mean

    if names is not None and names.lstrip().startswith(("[", "{")):
        return _written(plugins, names, most)
    entries = plugins.of_kind(Judge)
    wanted = list(entries) if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in entries:
            raise ConfigError(f"--judges: no judge is called {name!r}{did_you_mean(name, entries)}   (installed: {', '.join(entries)})")
    classes = [entries[name].cls for name in wanted]
    ready = [cls(order="both") for cls in classes if not any(field.is_required() for field in cls.model_fields.values())]
    if not ready:
        raise ConfigError("--judges: these need options of their own.\n  Remedy: try one with 'adjudge eval --judge'.")
    return [judge.model_copy(update={"max_new_tokens": min(most, judge.max_new_tokens)}) for judge in ready]


def _written(plugins: Plugins, text: str, most: int) -> list[Judge]:
    """Judges with options of their own, such as a cascade; an option that is not said is as for those that are named."""
    from adjudge import Judge, validate
    from adjudge_judge_commands import from_yaml

    given = from_yaml("--judges", text)
    judges: list[Judge] = []
    for one in given if isinstance(given, list) else [given]:
        options = {"use": one} if isinstance(one, str) else dict(one) if isinstance(one, Mapping) else one
        if isinstance(options, dict):
            options.setdefault("order", "both")
        judge = validate(Judge, options, plugins, "--judges")
        judges.append(judge if hasattr(judge, "inner") else judge.model_copy(update={"max_new_tokens": min(most, judge.max_new_tokens)}))
    return judges


def _trials(judges: Sequence[Judge], problems: Sequence[Problem], session: Any, seed: int) -> Iterator[Trial]:
    from .trial import tried

    for judge in judges:
        trial = tried(judge, problems, session, seed=seed)
        read = sum(path.outcome.decided for path in trial.paths)
        typer.echo(f"{judge.use}: {read} of {len(trial.paths)} judgements can be read", err=True)
        yield trial


def _snippet(model: str, engine: Engine, best: Trial) -> dict[str, Any]:
    """What a run file says to judge so."""
    from adjudge import Judge, dump

    from .trial import room_for

    most, whole = type(best.judge).model_fields["max_new_tokens"].default, dump(best.judge)
    own = {name: whole[name] for name in type(best.judge).model_fields if name not in Judge.model_fields and name in whole}
    room = {} if hasattr(best.judge, "inner") else {"max_new_tokens": room_for(best, most)}
    return {
        "model": model,
        "judge": {"use": best.judge.use, **_told(best.judge, own), **room},
        "engine": {name: value for name, value in dump(engine).items() if name == "use" or value != _default(engine, name)},
    }


def _told(judge: Judge, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not at their default, and those that have none."""
    fields = type(judge).model_fields
    return {name: value for name, value in options.items() if fields[name].is_required() or value != fields[name].default}


def _default(engine: Engine, name: str) -> Any:
    return type(engine).model_fields[name].default


def _print(trials: Sequence[Trial], best: Trial | None, snippet: Mapping[str, Any] | None) -> None:
    import yaml

    from adjudge import number, print_table, wilson

    rows = [
        [one.judge.use, str(len(one.paths)), *map(number, (one.readable, one.same, one.first, one.accuracy)), number(one.tokens, places=1)]
        for one in trials
    ]
    typer.echo("")
    columns = ["judge", "judged", "readable", "same in\nboth orders", "first shown\npreferred", "accuracy", "mean\ntokens"]
    print_table(columns, rows)
    for one in trials:
        if one.members:
            typer.echo(f"{one.judge.use}: {', '.join(f'{name} {100 * share:.0f}%' for name, share in one.members.items())}")
    if best is None or snippet is None:
        return
    typer.echo(f"\nRecommended: {best.judge.use}. In a run file, or with --judge:\n")
    typer.echo(yaml.safe_dump(dict(snippet), sort_keys=False).rstrip())
    if best.right and wilson(sum(best.right), len(best.right))[0] <= 0.5:
        typer.echo("\nOn these pairs it is not better than a coin. Readable is not right: measure it with 'adjudge eval', or train it.")
