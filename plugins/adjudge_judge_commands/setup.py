"""What commands that judge share: a call's settings as a configuration, and the judge that it describes with its model loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, Protocol, TypeVar

from adjudge import ConfigError, Engine, JobError, Judge, Options, Plugins, boundary, dump, find_model, load_judge, override, validate

from .opened_judge import OpenJudge, open_judge
from .progress import showing
from .sources import from_yaml

log = logging.getLogger("adjudge.judging")


class JudgingOptions(Protocol):
    """The fields that every configuration of a judging command has."""

    @property
    def judge(self) -> Judge: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def seed(self) -> int: ...


Config = TypeVar("Config", bound=Options)


def configured(
    cls: type[Config], *, model: str, engine: str, order: str | None = None, judge: str | None = None,
    sets: Sequence[str] | None = None, seed: int = 0, more: Mapping[str, Any] | None = None,
) -> tuple[Config, FilePath]:  # fmt: skip
    """The configuration that a call describes, and its model's folder. The judge is the model's own unless the call names another.

    `engine` and `judge` are names, YAML with options, or files of it; `more` are further fields of the configuration, as they stand in a
    run file.
    """
    plugins, folder = Plugins.load(), find_model(model)
    given: dict[str, Any] = {"model": model, "engine": from_yaml("--engine", engine), "seed": seed, **(more or {})}
    named = None if judge is None else from_yaml("--judge", judge)
    told = any(setting.startswith(("judge=", "judge.use=")) for setting in sets or ())
    if named is not None and not (isinstance(named, Mapping) and "use" not in named):
        given["judge"] = named
    elif (folder / "judge.json").exists() or not told:
        given["judge"] = {**dump(load_judge(folder, plugins)), **(named or {})}
    given = override(given, [*(sets or ()), *([] if order is None else [f"judge.order={order}"])])
    if given["model"] != model:
        raise ConfigError("--set model: the model of a call is not set like this.\n  Remedy: name it with --model.")
    config = validate(cls, given, plugins, "the call")
    check_judge(config)
    return config, folder


def check_judge(config: Any) -> None:
    """Raise `ConfigError` where the engine of a configuration cannot sample as its judge asks; a dry run is told as well."""
    with boundary(config.engine, "check_judge"):
        config.engine.check_judge(config.judge)


@contextmanager
def opened(config: JudgingOptions, folder: FilePath, *, cache: bool = True, to_score: int = 0) -> Iterator[OpenJudge]:
    """The judge of a configuration with its model loaded; progress is shown meanwhile.

    Raises `JobError` at the end when every call failed, and warns when some did. `to_score` is how many paths will be scored, for a
    command that does so rather than judge; it counts them in `OpenJudge.session.done`.
    """
    with open_judge(folder, engine=config.engine, judge=config.judge, seed=config.seed, cache=cache) as judge:
        judge.session.total = to_score
        with showing(judge.session, *(("scoring", "scored") if to_score else ("judging", "judged"))):
            yield judge
    session = judge.session
    if session.failed and session.failed == session.done:
        raise JobError(f"calls to engine {config.engine.use!r} that failed: all {session.failed}, the last with: {session.last_error}")
    if session.failed:
        told = (config.engine.use, session.failed, session.done, session.last_error)
        log.warning("calls to engine %r that failed: %d of %d, the last with: %s", *told)
