"""What ``judge``, ``rank`` and ``eval`` share: the model with its way of judging, an open engine that shows progress, and input rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge.artifacts import find_model, load_judge
from adjudge.components import Aggregator, Dataset, Engine, Judge, Options, Session
from adjudge.config import dump, override, validate
from adjudge.errors import ConfigError, JobError, blamed_on
from adjudge.jsonl import RowError, not_empty, read_rows, text_field
from adjudge.manager import Plugins
from adjudge.records import Problem, stable_id

from .progress import Watched


class Bench(Options):
    """A judge at work outside of a run."""

    model: str
    judge: Judge
    engine: Engine
    aggregator: Aggregator | None = None
    data: Dataset | None = None
    seed: int = 0


def set_up(
    model: str, *, engine: str, order: str | None, sets: Sequence[str] | None, seed: int, aggregator: str | None = None, data: Any = None
) -> tuple[Bench, FilePath]:
    """The bench that a call asks for, and its model's folder; the judge is the model's own unless ``--set judge=…`` names another."""
    plugins = Plugins.load()
    folder = find_model(model)
    given: dict[str, Any] = {"model": model, "engine": from_yaml("--engine", engine), "seed": seed, "data": data}
    if aggregator is not None:
        given["aggregator"] = from_yaml("--use", aggregator)
    if (folder / "judge.json").exists() or not any(setting.startswith(("judge=", "judge.use=")) for setting in sets or ()):
        given["judge"] = dump(load_judge(folder, plugins))
    given = override(given, sets or ())
    if order is not None:
        given = override(given, [f"judge.order={order}"])
    return validate(Bench, given, plugins, "the call"), folder


def from_yaml(option: str, text: str) -> Any:
    """An option's value: a component's name, or its options as YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{option}: {text!r} is not YAML.\n  Remedy: write a name, or '{{use: NAME, option: value}}'.") from None


@contextmanager
def opened(bench: Bench, folder: FilePath) -> Iterator[Session]:
    """The bench's engine with the model loaded; shows progress, and raises `JobError` at the end when every call failed."""
    with ExitStack() as stack:
        with blamed_on(bench.engine, "open"):
            session = stack.enter_context(bench.engine.open(folder))
        watched = stack.enter_context(Watched(session, bench.engine))
        yield watched
    if watched.failed and watched.failed == watched.done:
        raise JobError(f"all {watched.failed} calls to engine {bench.engine.use!r} failed, the last with: {watched.last_error}")


def read_problems(file: FilePath, *, pairs: bool, skip_bad_lines: bool) -> list[Problem]:
    """Rows with a prompt and `answers`, or `chosen` and `rejected` in this order, as problems; `pairs` asks for exactly two answers."""
    rows = read_rows(file, skip_bad_lines=skip_bad_lines, parse=lambda row: _problem(row, pairs))
    problems: list[Problem] = not_empty(rows, "standard input" if str(file) == "-" else str(file))
    seen: dict[str, int] = {}
    for index, problem in enumerate(problems):
        seen[problem.id] = seen.get(problem.id, 0) + 1
        if seen[problem.id] > 1:
            ident = f"{problem.id}-{seen[problem.id]}"
            problems[index] = Problem(ident, problem.prompt, problem.answers)
    return problems


def _problem(row: dict[str, Any], pairs: bool) -> Problem:
    prompt = text_field(row, "prompt")
    answers = row.get("answers")
    if answers is None and "chosen" in row:
        answers = [text_field(row, "chosen"), text_field(row, "rejected")]
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise RowError("has no field 'answers' that is a list of texts (nor the texts 'chosen' and 'rejected')")
    if len(answers) < 2 or (pairs and len(answers) > 2):
        raise RowError(f"has {len(answers)} answers; {'a judgement takes two' if pairs else 'a ranking takes two or more'}")
    if pairs and answers[0] == answers[1]:
        raise RowError("has two identical answers, and no judge can be right about those")
    ident = stable_id(prompt, *answers) if row.get("id") is None else str(row["id"])
    return Problem(ident, prompt, tuple(answers))
