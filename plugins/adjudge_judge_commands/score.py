"""``adjudge score``: how good reasoning paths are that were written earlier, in the eyes of the model that is asked."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from adjudge import DEFAULT_MODEL, ModelOption, RowsArgument, SetOption, SkipBadLinesOption

from .options import DataOption, DryRunOption, EngineOption, JsonOption, JudgeOption, LimitOption, OutOption

if TYPE_CHECKING:
    from adjudge import Dataset, PathScorer, Problem, ReasoningPath, Records, Score

    from .configs import ScoreConfig
    from .opened_judge import OpenJudge
    from .path_rows import PathRow

EXAMPLE = "Example: adjudge score runs/demo/records/2-sft-selected.jsonl --model runs/demo/stages/1-grpo/model --use rstar"
RUN_OF_TOKENS = 4
Places: TypeAlias = "array[int]"
"""Places in the rows of a file."""


def score(
    file: RowsArgument = FilePath("-"),
    *,
    model: ModelOption = DEFAULT_MODEL,
    use: Annotated[str, typer.Option("--use", help="The path scorer: a name, or YAML with options.")] = "rstar",
    data: DataOption = None,
    judge: JudgeOption = None,
    engine: EngineOption = "hf",
    limit: LimitOption = None,
    out: OutOption = None,
    sets: SetOption = None,
    skip_bad_lines: SkipBadLinesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score reasoning paths by a model's log-probabilities, beside their length and repetition.

    A row has a "prompt" with two "answers" and the "text" of a judgement of them, or several "texts"; "order": "swapped" says that the
    second answer was shown first. Records of a run's paths are such rows too. --data has the problems that rows name by "problem_id".
    """
    from .configs import ScoreConfig
    from .path_rows import read_path_rows
    from .setup import configured
    from .sources import data_set, from_yaml

    more: dict[str, Any] = {"scorer": from_yaml("--use", use), "limit": limit, **({} if data is None else {"data": data_set(data)})}
    config, folder = configured(ScoreConfig, model=model, engine=engine, judge=judge, sets=sets, more=more)
    wanted = read_path_rows(file, _problems(config.data), skip_bad_lines=skip_bad_lines, columns=config.columns)
    groups = _some(wanted, by_problem(wanted), limit)
    if dry_run:
        return _print_plan(groups, config, as_json)
    order = range(len(wanted)) if limit is None else [place for places in groups for place in places]
    return _print(_scored(config, folder, wanted, groups, order, out), as_json)


def _scored(
    config: ScoreConfig, model: FilePath, wanted: Sequence[PathRow], groups: Sequence[Places], order: Sequence[int], out: FilePath | None
) -> Iterator[dict[str, Any]]:
    """A row for every path in this order, each once it and those before it are scored; a problem's paths are read and scored together."""
    from adjudge_rstar import windows

    from .setup import opened

    told = 0
    with _kept(out, config, model, wanted) as records, ExitStack() as stack:

        def known() -> Iterator[dict[str, Any]]:
            nonlocal told
            while told < len(order) and (number := records.ids.number(wanted[order[told]].id)) is not None:
                told += 1
                yield records.ids.row(number)

        yield from known()
        if missing := [places for places in groups if any(wanted[place].id not in records.ids for place in places)]:
            judge = stack.enter_context(opened(config, model, cache=False, to_score=sum(map(len, missing))))
            for some in windows(missing, len):
                for row in score_groups(judge, config.scorer, [[wanted[place] for place in places] for places in some]):
                    records.append(row)
                    yield from known()


def _some(wanted: Sequence[PathRow], groups: Sequence[Places], limit: int | None) -> Sequence[Places]:
    """The judgements of at most so many problems, evenly from all."""
    from .sources import some_of

    if limit is None:
        return groups
    of_groups = (wanted[places[0]].problem for places in groups)
    chosen = some_of([replace(one, id=str(number), prompt="", answers=()) for number, one in enumerate(of_groups)], limit)
    return [groups[int(one.id)] for one in chosen]


def _print_plan(groups: Sequence[Places], config: ScoreConfig, as_json: bool) -> None:
    """What a call would score; no judgement is asked for."""
    told = {"paths": sum(map(len, groups)), "problems": len(groups), "scorer": config.scorer.use, "judgements": 0}
    if as_json:
        return typer.echo(json.dumps(told))
    typer.echo(f"{told['paths']} paths of {told['problems']} problems would be scored by {told['scorer']}; no judgement is asked for.")
    return typer.echo("Nothing was done: this was a dry run.")


def _problems(dataset: Dataset | None) -> Mapping[str, Problem]:
    """The problems of ``--data`` by id."""
    from adjudge import check_pairs
    from adjudge_data import ById, problems_of

    if dataset is None:
        return {}
    problems = problems_of(dataset, "--data")
    check_pairs(problems, "--data", labelled=False)
    return ById(problems)


@contextmanager
def _kept(out: FilePath | None, config: ScoreConfig, model: FilePath, wanted: Sequence[PathRow]) -> Iterator[Records]:
    """What is scored already in the folder of ``--out``, or in a temporary one, less the rows whose content has changed."""
    from adjudge import Records

    from .kept import kept_records

    with kept_records(out, "scores", config, model) as kept, TemporaryDirectory() as folder:
        records = kept or Records(FilePath(folder) / "scores.jsonl")
        kept_before = ((one, number) for one in wanted if (number := records.ids.number(one.id)) is not None)
        if changed := {one.id for one, number in kept_before if records.ids.row(number)["content"] != one.content}:
            records.keep(lambda row: row["id"] not in changed)
        yield records


def by_problem(wanted: Sequence[PathRow]) -> list[Places]:
    """Places of the judgements of one problem together: its prompts are run once for all of them."""
    from adjudge import stable_id

    groups: dict[str, Places] = {}
    for place, one in enumerate(wanted):
        groups.setdefault(stable_id(one.problem.id, one.problem.prompt, one.problem.answers), array("q")).append(place)
    return list(groups.values())


def score_groups(judge: OpenJudge, scorer: PathScorer, groups: Sequence[Sequence[PathRow]]) -> Iterator[dict[str, Any]]:
    """The rows of problems as they are scored; only judgements that reached a verdict are, the others keep their outcome."""
    read = [[one.path(judge.options, judge.session, index) for index, one in enumerate(group)] for group in groups]
    for place, scored in judge.score_each([(group[0].problem, paths) for group, paths in zip(groups, read, strict=True)], scorer):
        judge.session.done += len(scored)
        yield from (score_row(path, score, one) for one, (path, score) in zip(groups[place], scored, strict=True))


def score_row(path: ReasoningPath, score: Score, row: PathRow) -> dict[str, Any]:
    """One path: `score` is None where there is no verdict or the scorer does not apply.

    Beside it stand what R⋆ does not see: `tokens`, with the end of turn; `mean_logprob` over all of them, in nats per token; and
    `repetition`. `content` identifies what was scored.
    """
    from .kept import about

    tokens, logprobs = path.completion.token_ids, path.completion.logprobs
    return {
        "id": path.id,
        "problem_id": path.problem_id,
        **about(row.problem, path),
        "order": path.order,
        "text": path.completion.text,
        "outcome": path.outcome.value,
        "error": path.completion.error,
        "score": score.value,
        "parts": dict(score.parts),
        "tokens": len(tokens) or None,
        "mean_logprob": sum(logprobs) / len(logprobs) if logprobs else None,
        "repetition": repetition(tokens),
        "content": row.content,
    }


def repetition(tokens: Sequence[int]) -> float | None:
    """Share of the runs of four tokens that stood earlier in the same path: in [0, 1), 0 = nothing twice; None below four tokens."""
    runs = [tuple(tokens[start : start + RUN_OF_TOKENS]) for start in range(len(tokens) - RUN_OF_TOKENS + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else None


def _print(rows: Iterable[Mapping[str, Any]], as_json: bool) -> None:
    from adjudge import number, print_table

    cells, without, failed = [], 0, ""
    for row in rows:
        if as_json:
            typer.echo(json.dumps(row, ensure_ascii=False))
            continue
        numbers = [number(row["score"], 4), str(row["tokens"] or "none"), number(row["mean_logprob"]), number(row["repetition"])]
        cells.append([row["id"], row["outcome"], *numbers])
        without += row["score"] is None
        failed = failed or (f"; {row['id']}: {row['error']}" if row.get("error") else "")
    if not as_json:
        print_table(["path", "outcome", "score", "tokens", "mean logprob", "repetition"], cells)
        typer.echo(f"{len(cells)} paths, {without} without a score{failed}")
