"""The problems that commands are given: rows of a file or of standard input, each with an id of its own, and labelled data sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

from adjudge import ConfigError, Dataset, Problem, check_pairs, problem_in, read_rows, unique_ids
from adjudge_data import problems_of, spooled


def read_problems(
    file: FilePath,
    *,
    pairs: bool,
    skip_bad_lines: bool | None,
    columns: Mapping[str, str | list[str] | None] | None = None,
    fewest: int = 2,
) -> Sequence[Problem]:
    """Rows of a prompt and its answers, in any shape that data sets may have, as problems that no list holds; `pairs` asks for exactly two
    answers."""
    rows = read_rows(file, skip_bad_lines=skip_bad_lines, parse=lambda row: problem_in(row, pairs=pairs, fewest=fewest, columns=columns))
    problems = spooled(rows, name_of(file))
    problems.renamed = own_ids([problem.id for problem in problems], name_of(file))
    return problems


def labelled_problems(dataset: Dataset) -> Sequence[Problem]:
    """The pairs of a data set, of which one at least has a label."""
    problems = problems_of(dataset, "data")
    check_pairs(problems, "data", labelled=False)
    if all(problem.label is None for problem in problems):
        raise ConfigError("data: none of the problems has a label, so nothing can be right.\n  Remedy: use 'adjudge judge' for verdicts.")
    return problems


def name_of(file: FilePath) -> str:
    """A file as messages call it."""
    return "standard input" if str(file) == "-" else str(file)


def own_ids(given: Sequence[str], where: str) -> dict[int, str]:
    """New ids, by place, of rows whose id an earlier row has; how many those are is told on standard error, with an example."""
    places = enumerate(zip(given, unique_ids(given), strict=True))
    if changed := {place: other for place, (one, other) in places if one != other}:
        place, rows = next(iter(changed)), "1 row has" if len(changed) == 1 else f"{len(changed)} rows have"
        one, other = given[place], changed[place]
        print(f"{where}: {rows} an id that another row has, and got one of its own: {one!r} became {other!r}, for example", file=sys.stderr)
    return changed
