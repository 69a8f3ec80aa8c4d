"""What ``--out`` keeps: a folder of one call, in which the same call goes on, with every judgement and all that it was about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from adjudge import Options, Problem, ReasoningPath, Records
from adjudge_judges import probability_of

if TYPE_CHECKING:
    from adjudge import Json


@contextmanager
def kept_records(
    out: FilePath | None, name: str, config: Options, model: FilePath, problems: Sequence[Problem] | None = None
) -> Iterator[Records | None]:
    """The records of this name in the folder; None without one. Raises `ConfigError` where the folder is of another call or other data."""
    from adjudge import Plugins, RunFolder, hash_of_folder, hash_of_problems

    if out is None:
        yield None
        return
    data = {} if problems is None else {"data": hash_of_problems(problems)}
    folder = RunFolder(out, config, Plugins.load(), {"model": hash_of_folder(model), **data})
    records = None
    try:
        records = Records(out / "records" / f"{name}.jsonl")
        yield records
    finally:
        if records is not None:
            records.close()
        folder.close()


@contextmanager
def judged_records(out: FilePath | None, name: str, config: Options, model: FilePath, problems: Sequence[Problem]) -> Iterator[Records]:
    """As `kept_records`, and in a temporary folder where none is named, so that no call holds what was judged; failed calls are dropped."""
    from adjudge import succeeded

    with kept_records(out, name, config, model, problems) as kept, TemporaryDirectory() as folder:
        records = kept or Records(FilePath(folder) / f"{name}.jsonl")
        records.keep(succeeded)
        try:
            yield records
        finally:
            records.close()  # before its folder goes


def keep(records: Records | None, problem: Problem, path: ReasoningPath) -> None:
    """Append a judgement with its pair, so that a reader of the records, such as ``adjudge score``, needs nothing else."""
    if records is not None:
        records.append(path, answers=list(problem.answers), **about(problem, path))


def about(problem: Problem, path: ReasoningPath) -> dict[str, Json]:
    """What a judgement was about: the prompt, both answers as they were shown, and the right outcome in the problem's own order."""
    return problem.shown(path.order)


def judgement_row(problem: Problem, path: ReasoningPath) -> dict[str, Any]:
    """One judgement for a program to read, with nothing left out that it was made from; `tokens` is None where nobody tells them."""
    made = path.completion
    start, end = path.verdict.reasoning or (0, len(made.text))
    return {
        **about(problem, path),
        "order": path.order,
        "outcome": path.outcome.value,
        "text": made.text,
        "reasoning": made.text[start:end].strip(),
        "tokens": known_tokens(path),
        "error": made.error,
        **({} if path.verdict.probability is None else {"probability": probability_of(path)}),
        **({"told": dict(path.verdict.told)} if path.verdict.told else {}),
    }


def known_tokens(path: ReasoningPath) -> int | None:
    """How many tokens a judgement has; None where its engine returns texts without them, and where the call failed."""
    made = path.completion
    return path.verdict.told.get("tokens") or len(made.token_ids) or (None if made.text or made.error is not None else 0)
