"""What ``judge``, ``rank``, ``eval`` and ``score`` share: the model with its way of judging, an open engine, and input rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any

import yaml

from adjudge.artifacts import find_model, load_judge
from adjudge.budget import Budget
from adjudge.cache import Cache, cache_file
from adjudge.cached_session import CachedSession, source_of
from adjudge.components import Aggregator, Dataset, Engine, Judge, Options, PathScorer, Session
from adjudge.config import dump, override, validate
from adjudge.errors import ConfigError, JobError, blamed_on
from adjudge.jsonl import RowError, not_empty, read_rows, text_field
from adjudge.manager import Plugins
from adjudge.records import Problem, stable_id
from adjudge.rewards import Reward
from adjudge.voting import Voting

from .progress import Watched


class Bench(Options):
    """A judge at work outside of a run."""

    model: str
    judge: Judge
    engine: Engine
    aggregator: Aggregator | None = None
    scorer: PathScorer | None = None
    data: Dataset | None = None
    voting: Voting = Voting()
    budget: Budget = Budget()
    reward: Reward | None = None
    seed: int = 0


def set_up(
    model: str,
    *,
    engine: str,
    order: str | None = None,
    sets: Sequence[str] | None,
    seed: int = 0,
    aggregator: str | None = None,
    scorer: str | None = None,
    data: Any = None,
    more: Mapping[str, Any] | None = None,
) -> tuple[Bench, FilePath]:
    """The bench that a call asks for, and its model's folder; the judge is the model's own unless ``--set judge=…`` names another.

    `more` are further fields of the bench, as they would stand in a run file.
    """
    plugins = Plugins.load()
    folder = find_model(model)
    given: dict[str, Any] = {"model": model, "engine": from_yaml("--engine", engine), "seed": seed, "data": data, **(more or {})}
    if aggregator is not None:
        given["aggregator"] = from_yaml("--use", aggregator)
    if scorer is not None:
        given["scorer"] = from_yaml("--use", scorer)
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
def opened(bench: Bench, folder: FilePath, *, cache: bool = True, to_score: int = 0) -> Iterator[Watched]:
    """The bench's engine with the model loaded, behind the cache unless that is not wanted or the engine cannot be cached.

    Shows progress, says how much the cache knew, and raises `JobError` at the end when every call failed.
    `to_score` is how many paths will be scored, for a command that does so rather than judge.
    """
    with ExitStack() as stack:

        def load() -> Session:
            with blamed_on(bench.engine, "open"):
                return stack.enter_context(bench.engine.open(folder))

        cached = _cached(bench, folder, load, stack) if cache else None
        watched = stack.enter_context(Watched(cached or load(), bench.engine, to_score=to_score))
        yield watched
    if cached is not None and cached.asked:
        share = cached.known / cached.asked
        print(f"cache: {cached.known} of {cached.asked} judgements ({share:.0%}) were known; {cached.cache.file}", file=sys.stderr)
    if watched.failed and watched.failed == watched.done:
        raise JobError(f"all {watched.failed} calls to engine {bench.engine.use!r} failed, the last with: {watched.last_error}")


def _cached(bench: Bench, folder: FilePath, load: Callable[[], Session], stack: ExitStack) -> CachedSession | None:
    """The user's cache in front of the engine; None where the engine does not tell what its answers depend on."""
    cache = Cache(cache_file())
    stack.callback(cache.close)
    source = source_of(bench.engine, folder, cache)
    return None if source is None else CachedSession(cache, source, load)


def read_problems(file: FilePath, *, pairs: bool, skip_bad_lines: bool) -> list[Problem]:
    """Rows with a prompt and `answers`, or `chosen` and `rejected` in this order, as problems; `pairs` asks for exactly two answers."""
    rows = read_rows(file, skip_bad_lines=skip_bad_lines, parse=lambda row: problem_of(row, pairs=pairs))
    problems: list[Problem] = not_empty(rows, "standard input" if str(file) == "-" else str(file))
    seen: dict[str, int] = {}
    for index, problem in enumerate(problems):
        seen[problem.id] = seen.get(problem.id, 0) + 1
        if seen[problem.id] > 1:
            ident = f"{problem.id}-{seen[problem.id]}"
            problems[index] = Problem(ident, problem.prompt, problem.answers)
    return problems


def problem_of(row: dict[str, Any], *, pairs: bool) -> Problem:
    """The problem that a row has; `RowError` where it has none."""
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
