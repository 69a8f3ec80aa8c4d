"""``adjudge score``: how good reasoning paths are that were written earlier, in the eyes of the model that is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DEFAULT_MODEL, AsJson, EngineName, Model, Rows, Sets, SkipBadLines

if TYPE_CHECKING:
    from adjudge.records import Path, Problem, Score
    from adjudge.rundir import Records

    from .bench import Bench
    from .progress import Watched
    from .written import Written

EXAMPLE = "Example: adjudge score runs/demo/records/2-sft-selected.jsonl --model runs/demo/stages/1-grpo/model --use rstar"
RUN_OF_TOKENS = 4


def score(
    file: Rows = FilePath("-"),
    *,
    model: Model = DEFAULT_MODEL,
    use: Annotated[str, typer.Option("--use", help="The path scorer: a name, or YAML with options.")] = "rstar",
    data: Annotated[str | None, typer.Option("--data", help="Data set of the problems that rows name by problem_id.")] = None,
    out: Annotated[FilePath | None, typer.Option("--out", help="Folder that keeps scores; the same call goes on there.")] = None,
    engine: EngineName = "hf",
    sets: Sets = None,
    skip_bad_lines: SkipBadLines = False,
    as_json: AsJson = False,
) -> None:
    """Score reasoning paths by a model's log-probabilities, beside their length and repetition.

    A row has a "prompt" with two "answers" and the "text" of a judgement of them, or several "texts"; "order": "swapped" says that the
    second answer was shown first. Records of a run's paths are such rows too.
    """
    from .bench import from_yaml, opened, set_up
    from .written import read_written

    bench, folder = set_up(model, engine=engine, sets=sets, scorer=use, data=None if data is None else from_yaml("--data", data))
    written = read_written(file, _problems(bench), skip_bad_lines=skip_bad_lines)
    with _kept(out, bench, written) as records:
        rows = {row["id"]: row for row in records or ()}
        groups = [group for group in _by_problem(written) if any(one.id not in rows for one in group)]
        if groups:
            with opened(bench, folder, cache=False, to_score=sum(map(len, groups))) as session:
                for group in groups:
                    for row in _score_group(bench, session, group):
                        rows[row["id"]] = row
                        if records is not None:
                            records.append(row)
    _print([rows[one.id] for one in written], as_json)


def _problems(bench: Bench) -> Mapping[str, Problem]:
    """The problems of ``--data`` by id."""
    from adjudge.errors import blamed_on
    from adjudge.judging import check_pairs

    if bench.data is None:
        return {}
    with blamed_on(bench.data, "load"):
        problems = list(bench.data.load())
    check_pairs(problems, "--data", labelled=False)
    return {problem.id: problem for problem in problems}


@contextmanager
def _kept(out: FilePath | None, bench: Bench, written: Sequence[Written]) -> Iterator[Records | None]:
    """What is scored already in the folder of ``--out``, less the rows whose content has changed; None without a folder."""
    from adjudge.manager import Plugins
    from adjudge.rundir import Records, RunFolder

    if out is None:
        yield None
        return
    folder = RunFolder(out, bench, Plugins.load())
    try:
        records = Records(out / "records" / "scores.jsonl")
        content = {one.id: one.content for one in written}
        records.keep(lambda row: content.get(row["id"], row["content"]) == row["content"])
        yield records
    finally:
        folder.close()


def _by_problem(written: Sequence[Written]) -> list[list[Written]]:
    """Judgements of one problem together: its prompts are run once for all of them."""
    from adjudge.records import stable_id

    groups: dict[str, list[Written]] = {}
    for one in written:
        groups.setdefault(stable_id(one.problem.id, one.problem.prompt, one.problem.answers), []).append(one)
    return list(groups.values())


def _score_group(bench: Bench, session: Watched, group: Sequence[Written]) -> list[dict[str, Any]]:
    """All rows of one problem; only judgements that reached a verdict are scored, the others keep their outcome."""
    from adjudge.judging import with_logprobs
    from adjudge.records import Score
    from adjudge.stage import score_paths

    assert bench.scorer is not None
    problem = group[0].problem
    paths = {one.id: one.path(bench.judge, session, index) for index, one in enumerate(group)}
    decided = with_logprobs(session, bench.judge, problem, [path for path in paths.values() if path.outcome.decided])
    paths |= {path.id: path for path in decided}
    scores = {made.path_id: made for made in score_paths(bench.scorer, problem, decided, session)}
    session.done += len(group)
    return [score_row(paths[one.id], scores.get(one.id, Score(one.id, None)), one.content) for one in group]


def score_row(path: Path, score: Score, content: str) -> dict[str, Any]:
    """One path: `score` is None where there is no verdict or the scorer does not apply.

    Beside it stand what R⋆ does not see: `tokens`, with the end of turn; `mean_logprob` over all of them, in nats per token; and
    `repetition`. `content` identifies what was scored.
    """
    tokens, logprobs = path.completion.token_ids, path.completion.logprobs
    return {
        "id": path.id,
        "problem_id": path.problem_id,
        "order": path.order,
        "outcome": path.outcome.value,
        "score": score.value,
        "parts": dict(score.parts),
        "tokens": len(tokens) or None,
        "mean_logprob": sum(logprobs) / len(logprobs) if logprobs else None,
        "repetition": repetition(tokens),
        "content": content,
    }


def repetition(tokens: Sequence[int]) -> float | None:
    """Share of the runs of four tokens that stood earlier in the same path: in [0, 1), 0 = nothing twice; None below four tokens."""
    runs = [tuple(tokens[start : start + RUN_OF_TOKENS]) for start in range(len(tokens) - RUN_OF_TOKENS + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else None


def _print(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from .show import number, print_table

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
    typer.echo(f"{len(rows)} paths, {sum(row['score'] is None for row in rows)} without a score")
