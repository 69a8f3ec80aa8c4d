"""The problems that commands are given: rows of a file or of standard input, each with an id of its own, and labelled data sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath

from adjudge import ConfigError, Dataset, Problem, boundary, check_pairs, not_empty, problem_in, read_rows, unique_ids


def read_problems(
    file: FilePath,
    *,
    pairs: bool,
    skip_bad_lines: bool | None,
    columns: Mapping[str, str | list[str] | None] | None = None,
    fewest: int = 2,
) -> list[Problem]:
    """Rows of a prompt and its answers, in any shape that data sets may have, as problems; `pairs` asks for exactly two answers."""
    rows = read_rows(file, skip_bad_lines=skip_bad_lines, parse=lambda row: problem_in(row, pairs=pairs, fewest=fewest, columns=columns))
    problems: list[Problem] = not_empty(rows, name_of(file))
    idents = own_ids([problem.id for problem in problems], name_of(file))
    return [replace(problem, id=ident) for problem, ident in zip(problems, idents, strict=True)]


def labelled_problems(dataset: Dataset) -> list[Problem]:
    """The pairs of a data set, of which one at least has a label."""
    with boundary(dataset, "load"):
        problems: list[Problem] = not_empty(dataset.load(), "data")
    check_pairs(problems, "data", labelled=False)
    if all(problem.label is None for problem in problems):
        raise ConfigError("data: none of the problems has a label, so nothing can be right.\n  Remedy: use 'adjudge judge' for verdicts.")
    return problems


def name_of(file: FilePath) -> str:
    """A file as messages call it."""
    return "standard input" if str(file) == "-" else str(file)


def own_ids(given: Sequence[str], where: str) -> list[str]:
    """The ids in order, each of them once; how many rows got another one is told on standard error, with an example."""
    found = unique_ids(given)
    if changed := [(one, other) for one, other in zip(given, found, strict=True) if one != other]:
        (one, other), rows = changed[0], "1 row has" if len(changed) == 1 else f"{len(changed)} rows have"
        print(f"{where}: {rows} an id that another row has, and got one of its own: {one!r} became {other!r}, for example", file=sys.stderr)
    return found
