"""``adjudge score``: how good reasoning paths are that were written earlier, in the eyes of the model that is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

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
    from .setup import configured, opened
    from .sources import data_set, from_yaml

    more: dict[str, Any] = {"scorer": from_yaml("--use", use), "limit": limit, **({} if data is None else {"data": data_set(data)})}
    config, folder = configured(ScoreConfig, model=model, engine=engine, judge=judge, sets=sets, more=more)
    wanted = _some(read_path_rows(file, _problems(config.data), skip_bad_lines=skip_bad_lines, columns=config.columns), limit)
    if dry_run:
        return _print_plan(wanted, config, as_json)
    with _kept(out, config, folder, wanted) as records:
        rows = {row["id"]: row for row in records or ()}
        groups = [group for group in by_problem(wanted) if any(one.id not in rows for one in group)]
        if groups:
            with opened(config, folder, cache=False, to_score=sum(map(len, groups))) as open_judge:
                for group in groups:
                    for row in score_group(open_judge, config.scorer, group):
                        rows[row["id"]] = row
                        if records is not None:
                            records.append(row)
    return _print([rows[one.id] for one in wanted], as_json)


def _some(wanted: list[PathRow], limit: int | None) -> list[PathRow]:
    """The judgements of at most so many problems, evenly from all."""
    from .sources import some_of

    if limit is None:
        return wanted
    groups = {id(group[0].problem): group for group in by_problem(wanted)}
    chosen = some_of([group[0].problem for group in groups.values()], limit)
    return [one for problem in chosen for one in groups[id(problem)]]


def _print_plan(wanted: Sequence[PathRow], config: ScoreConfig, as_json: bool) -> None:
    """What a call would score; no judgement is asked for."""
    told = {"paths": len(wanted), "problems": len(by_problem(wanted)), "scorer": config.scorer.use, "judgements": 0}
    if as_json:
        return typer.echo(json.dumps(told))
    typer.echo(f"{told['paths']} paths of {told['problems']} problems would be scored by {told['scorer']}; no judgement is asked for.")
    return typer.echo("Nothing was done: this was a dry run.")


def _problems(dataset: Dataset | None) -> Mapping[str, Problem]:
    """The problems of ``--data`` by id."""
    from adjudge import boundary, check_pairs

    if dataset is None:
        return {}
    with boundary(dataset, "load"):
        problems = list(dataset.load())
    check_pairs(problems, "--data", labelled=False)
    return {problem.id: problem for problem in problems}


@contextmanager
def _kept(out: FilePath | None, config: ScoreConfig, model: FilePath, wanted: Sequence[PathRow]) -> Iterator[Records | None]:
    """What is scored already in the folder of ``--out``, less the rows whose content has changed; None without a folder."""
    from adjudge import Plugins, Records, RunFolder, hash_of_folder

    if out is None:
        yield None
        return
    folder = RunFolder(out, config, Plugins.load(), {"model": hash_of_folder(model)})
    try:
        records = Records(out / "records" / "scores.jsonl")
        content = {one.id: one.content for one in wanted}
        records.keep(lambda row: content.get(row["id"], row["content"]) == row["content"])
        yield records
    finally:
        folder.close()


def by_problem(wanted: Sequence[PathRow]) -> list[list[PathRow]]:
    """Judgements of one problem together: its prompts are run once for all of them."""
    from adjudge import stable_id

    groups: dict[str, list[PathRow]] = {}
    for one in wanted:
        groups.setdefault(stable_id(one.problem.id, one.problem.prompt, one.problem.answers), []).append(one)
    return list(groups.values())


def score_group(judge: OpenJudge, scorer: PathScorer, group: Sequence[PathRow]) -> list[dict[str, Any]]:
    """All rows of one problem; only judgements that reached a verdict are scored, the others keep their outcome."""
    paths = [one.path(judge.options, judge.session, index) for index, one in enumerate(group)]
    scored = judge.score_read(group[0].problem, paths, scorer)
    judge.session.done += len(group)
    return [score_row(path, score, one) for one, (path, score) in zip(group, scored, strict=True)]


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


def _print(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from adjudge import number, print_table

    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    cells = [
        [
            row["id"],
            row["outcome"],
            number(row["score"], 4),
            str(row["tokens"] or "none"),
            number(row["mean_logprob"]),
            number(row["repetition"]),
        ]
        for row in rows
    ]
    print_table(["path", "outcome", "score", "tokens", "mean logprob", "repetition"], cells)
    failed = [f"; {row['id']}: {row['error']}" for row in rows if row.get("error")]
    typer.echo(f"{len(rows)} paths, {sum(row['score'] is None for row in rows)} without a score{''.join(failed[:1])}")
