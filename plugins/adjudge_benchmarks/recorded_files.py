"""Recorded judgements: our own rows, the authors' own, and the authors' lists of verdicts that name no problem and stand in its order."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adjudge import DataError, Order, Problem, Records, RowError, boundary

from .benchmark import Benchmark
from .judgements import Judgement, Scores
from .objects import read_objects
from .row_fields import finite

ORDERS: tuple[Order, ...] = ("given", "swapped")
_JUDGEMENT, _SCORES = TypeAdapter(Judgement), TypeAdapter(Scores)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of recorded judgements."""

    file: FilePath
    order: Order = "given"
    """How the answers were shown, where its rows do not say so."""


def recordings(patterns: Sequence[str]) -> list[Recording]:
    """The files that these paths and patterns name, each once; ``swapped:`` before one says that its answers were shown swapped."""
    found: dict[FilePath, Order] = {}
    for pattern in patterns:
        order = next((order for order in ORDERS if pattern.startswith(f"{order}:")), None)
        files = glob.glob(pattern if order is None else pattern.removeprefix(f"{order}:"), recursive=True)
        found.update(dict.fromkeys(map(FilePath, files), order or "given"))
    if not found:
        raise DataError(f"--replay: no such file: {', '.join(patterns)}.\n  Remedy: check the path or the pattern.")
    return [Recording(file, found[file]) for file in sorted(found)]


def read_recorded(
    benchmark: Benchmark, files: Iterable[FilePath | Recording], problems: Sequence[Problem] = ()
) -> list[Judgement | Scores]:
    """Recorded judgements, our own rows or the benchmark's authors'; raises `DataError` where a problem is judged twice.

    `problems` are all of the data in their order: a row that names none is about the one at its own place.
    """
    found: dict[str, Judgement | Scores] = {}
    for file in files:
        recording = file if isinstance(file, Recording) else Recording(file)
        for one in _read(benchmark, recording, problems):
            if found.setdefault(one.key, one) is not one:
                raise DataError(
                    f"{recording.file}: problem {one.problem_id} has a second judgement of the same pair, order and index.\n"
                    "  Remedy: score the records of one judge at a time. Of verdicts that name no problem, say which file was made with"
                    " the answers swapped: --replay swapped:FILE."
                )
    return list(found.values())


def each_of_ours(records: Records) -> Iterator[Judgement | Scores]:
    """The judgements of a record file one by one; an id is there once."""
    try:
        yield from map(_ours, records)
    except RowError as error:
        raise DataError(f"{records.file}: a record {error}.\n  Remedy: delete that line and run again.") from None


def _read(benchmark: Benchmark, recording: Recording, problems: Sequence[Problem]) -> list[Judgement | Scores]:
    """The judgements of one file, whose rows all name their problems or all stand in the problems' order."""
    rows = placed = 0

    def parse(row: dict[str, Any]) -> list[Judgement | Scores]:
        nonlocal rows, placed
        place, rows = rows, rows + 1
        if "problem_id" in row:
            return [_ours(row)]
        outcome = benchmark.at_its_place(row)
        if outcome is None:
            return list(benchmark.recorded(row))
        placed += 1
        if place >= len(problems):
            return []
        return [Judgement(problems[place].id, outcome.mirrored if recording.order == "swapped" else outcome, order=recording.order)]

    with boundary(benchmark, "recorded"):
        found = [one for many in read_objects(recording.file, parse=parse) for one in many]
    if placed and (placed != rows or rows != len(problems)):
        raise DataError(
            f"{recording.file}: {placed} of its {rows} rows name no problem, and the data have {len(problems)} problems.\n"
            "  Remedy: give the verdicts on all problems of these very data, in their order."
        )
    return found


def _ours(row: dict[str, Any]) -> Judgement | Scores:
    try:
        if "scores" not in row:
            return _JUDGEMENT.validate_python(row)
        return replace(_SCORES.validate_python(row), scores=finite(row["scores"], "scores"))
    except ValidationError as error:
        first = error.errors()[0]
        raise RowError(f"is no recorded judgement: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
