"""``adjudge rate``: answers in, one or more to a prompt, each with a rating of its own out."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, RowsArgument, SetOption, SkipBadLinesOption

from .options import EngineOption, JsonOption, JudgeOption, LimitOption, NoCacheOption, OutOption, SeedOption

if TYPE_CHECKING:
    from adjudge import Judge, Problem, ReasoningPath

    from .configs import RowsConfig

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["85"]}' | adjudge rate -m MODEL --samples 4"""
REMEDY = "Remedy: take another model, more room (judge.max_new_tokens) or a simpler scale, for example --judge scale."

SamplesOption = Annotated[int, typer.Option("--samples", min=1, help="Ratings of every answer; their mean is its rating.")]


def rate(
    file: RowsArgument = FilePath("-"),
    *,
    model: ModelOption = DEFAULT_MODEL,
    judge: JudgeOption = "scale",
    samples: SamplesOption = 1,
    engine: EngineOption = "hf",
    limit: LimitOption = None,
    out: OutOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    skip_bad_lines: SkipBadLinesOption = False,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rate answers one by one, without comparing them.

    A row has a "prompt" and "answers", one or more. The judge has a scale, as `scale` has: --judge "{use: scale, levels: [poor, good]}".
    """
    from adjudge import Outcome
    from adjudge_report import check_readable

    from .configs import RowsConfig
    from .input_rows import read_problems
    from .ratings import alone
    from .setup import configured
    from .sources import some_of

    more = {"limit": limit}
    config, folder = configured(RowsConfig, model=model, engine=engine, judge=judge, sets=sets, seed=seed, more=more)
    by_itself = alone(config.judge, "--judge")
    problems = some_of(read_problems(file, pairs=False, skip_bad_lines=skip_bad_lines, columns=config.columns, fewest=1), limit)
    outcomes = Counter[Outcome]()
    for problem, answers in _rated(config, by_itself, folder, problems, samples, out, cache=not no_cache):
        row = rating_row(by_itself, problem, answers)
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _readable(row))
        outcomes.update(path.outcome for paths in answers for path in paths)
    return check_readable(by_itself, outcomes.elements(), REMEDY)


def _rated(
    config: RowsConfig, alone: Judge, folder: FilePath, problems: Sequence[Problem], samples: int, out: FilePath | None, *, cache: bool
) -> Iterator[tuple[Problem, list[list[ReasoningPath]]]]:
    """Every problem with the judgements of each of its answers; those that are kept in the folder are not made again."""
    from adjudge import ReasoningPath, sample_paths

    from .counted import AT_ONCE
    from .kept import judged_records, keep
    from .ratings import rating_requests
    from .setup import opened

    at_once, left, judge = sys.maxsize if config.engine.asked_whole() else AT_ONCE, iter(problems), None
    with judged_records(out, "ratings", config, folder, problems) as records, ExitStack() as stack:
        while some := [
            (problem, rating_requests(alone, problem, samples, config.seed)) for problem in islice(left, at_once // samples or 1)
        ]:
            requests = {request.id: request for _, answers in some for asked in answers for request in asked}
            if missing := [request for ident, request in requests.items() if ident not in records.ids]:
                judge = judge or stack.enter_context(opened(config.model_copy(update={"judge": alone}), folder, cache=cache))
                for path in sample_paths(judge.session, alone, missing):
                    keep(records, requests[path.id].problem, path)
            for problem, answers in some:
                yield problem, [list(records.read(ReasoningPath, [request.id for request in asked])) for asked in answers]


def rating_row(judge: Judge, problem: Problem, answers: Sequence[Sequence[ReasoningPath]]) -> dict[str, Any]:
    """Every answer's mean rating, None where none of its judgements could be read, beside the judgements themselves."""
    judged = [[_judgement(judge, path) for path in paths] for paths in answers]
    ratings = [[one["rating"] for one in some if one["rating"] is not None] for some in judged]
    return {
        "id": problem.id,
        "prompt": problem.prompt,
        "answers": list(problem.answers),
        "ratings": [sum(some) / len(some) if some else None for some in ratings],
        "judgements": judged,
    }


def _judgement(judge: Judge, path: ReasoningPath) -> dict[str, Any]:
    from .kept import known_tokens
    from .ratings import rating_of

    return {
        "rating": rating_of(judge, path),
        "outcome": "rated" if path.outcome.decided else path.outcome.value,
        "text": path.completion.text,
        "tokens": known_tokens(path),
        "error": path.completion.error,
    }


def _readable(row: Mapping[str, Any]) -> str:
    from adjudge import snippet

    lines = [f"{row['id']}: {snippet(row['prompt'])}"]
    for answer, rating, judgements in zip(row["answers"], row["ratings"], row["judgements"], strict=True):
        read = sum(one["rating"] is not None for one in judgements)
        told = "not rated" if rating is None else f"{rating:.4g}"
        lines.append(f"  {told} ({read} of {len(judgements)} could be read): {snippet(answer)}")
    return "\n".join(lines)
