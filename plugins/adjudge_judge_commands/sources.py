"""What a call names: a component by name, YAML or file, the data that it is about, and the model that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import typer

from adjudge import ConfigError, Dataset, Engine, Plugins, Problem, load_yaml

FILES = (".yaml", ".yml")


def from_yaml(option: str, text: str) -> Any:
    """An option's value: a component's name, its options as YAML, or a .yaml file that holds either."""
    if text.endswith(FILES) and "\n" not in text and not text.lstrip().startswith("{"):
        return _in_file(option, FilePath(text))
    return _parsed(f"{option}: {text!r}", text)


def _in_file(option: str, file: FilePath) -> Any:
    try:
        return _parsed(f"{option}: {file}", file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option}: {file} cannot be read: {error}.\n  Remedy: check the path.") from None


def _parsed(where: str, text: str) -> Any:
    try:
        return load_yaml(text, where)
    except ConfigError as error:
        raise ConfigError(f"{error}\n  Remedy: write a name, or '{{use: NAME, option: value}}'.") from None


def data_set(text: str) -> Any:
    """What ``--data`` names, as it would stand in a run file: a data set's name or options, or a file of rows."""
    found = from_yaml("--data", text)
    if isinstance(found, str) and found == text and found not in Plugins.load().of_kind(Dataset) and _is_path(text):
        return {"use": "preference", "file": text}
    return found


def _is_path(text: str) -> bool:
    return text == "-" or FilePath(text).exists() or bool(FilePath(text).suffix) or "/" in text


def is_rows(text: str) -> bool:
    """Whether ``--data`` names a file of rows, which the command reads as its own."""
    found = data_set(text)
    return isinstance(found, dict) and found == {"use": "preference", "file": text}


def rows_or_data(file: FilePath, data: str | None) -> tuple[FilePath, Any]:
    """The file of rows that is read, and the data set in place of it; raises where a call names both."""
    if data is None:
        return file, None
    if str(file) != "-":
        raise typer.BadParameter("give either a file or --data, and not both", param_hint="FILE")
    return (FilePath(data), None) if is_rows(data) else (file, data_set(data))


def asked_problems(
    rows: FilePath, data: Dataset | None, limit: int | None, *, pairs: bool, skip_bad_lines: bool,
    columns: Mapping[str, str | list[str] | None] | None = None,
) -> Sequence[Problem]:  # fmt: skip
    """The problems of a call: those of the data set where there is one, else rows; with a limit evenly some of them."""
    from adjudge import check_pairs
    from adjudge_data import problems_of

    from .input_rows import read_problems

    if data is None:
        return some_of(read_problems(rows, pairs=pairs, skip_bad_lines=skip_bad_lines, columns=columns), limit)
    found = problems_of(data.tolerant() if skip_bad_lines else data, "--data")
    if pairs:
        check_pairs(found, "--data", labelled=False)
    return some_of(found, limit)


def some_of(problems: Sequence[Problem], limit: int | None) -> Sequence[Problem]:
    """At most so many problems, evenly from all."""
    if limit is None:
        return problems
    from adjudge_benchmarks import evenly

    return evenly(problems, limit)


def answered_by(engine: Engine, model: str) -> str:
    """The model whose answers these are: an endpoint's, under its name there, or the folder that was opened."""
    inner = getattr(engine, "engine", engine)
    return str(getattr(inner, "model", inner.use)) if engine.ignores_model_folder else model
