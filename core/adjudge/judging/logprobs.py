"""Log-probabilities of paths by an open model."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from adjudge.api.kinds import Engine, Judge, Session
from adjudge.api.values import Problem, ReasoningPath
from adjudge.errors import ConfigError, PluginError, boundary

from .paths import NotANumber, not_a_number


def check_statistics(engine: Engine, names: Collection[str], field: str) -> None:
    """Raise `ConfigError` where this engine cannot tell some of the statistics that a component needs."""
    known = {"logprob", *engine.statistics} if engine.statistics else set()
    if lacking := sorted(set(names) - known):
        raise ConfigError(
            f"{field}: needs {', '.join(lacking)} of every token, and engine {engine.use!r} cannot tell: of given tokens it tells"
            f" {', '.join(sorted(known)) or 'nothing'}.\n  Remedy: take engine hf for all; vllm tells logprob, rank and top_logprob."
        )


def with_logprobs(
    session: Session, judge: Judge, problem: Problem, paths: Sequence[ReasoningPath], statistics: Collection[str] = ()
) -> list[ReasoningPath]:
    """These paths of one problem with log-probabilities by the session's model, and `statistics` that its engine can tell.

    A path without tokens is left as it is. Raises `PluginError` where an engine does not answer with one number per token."""
    found, statistics = {}, sorted({*statistics} - {"logprob"})
    for order in sorted({path.order for path in paths}):
        if not (group := [path for path in paths if path.order == order and path.completion.token_ids]):
            continue
        with boundary(judge, "prompt"):
            prompt = judge.render(problem, order)
        try:
            asked: dict[str, Any] = {"statistics": statistics} if statistics else {}
            rows: list[Any] = session.logprobs(prompt, [path.completion.token_ids for path in group], **asked)
        except ConfigError as error:
            raise ConfigError(f"problem {problem.id}: {error}") from None
        values = [row["logprob"] for row in rows] if statistics else rows
        more = [{name: tuple(row[name]) for name in statistics} if statistics else {} for row in rows]
        sizes = [[len(path.completion.token_ids)] * (1 + len(statistics)) for path in group]
        if [[len(one), *map(len, told.values())] for one, told in zip(values, more, strict=True)] != sizes:
            raise PluginError(
                "the engine's logprobs() did not answer with one number for every token.\n"
                "  Remedy: an engine returns one list per continuation, in order, with one number per token."
            )
        for path, logprobs, told in zip(group, values, more, strict=True):
            completion = replace(path.completion, logprobs=tuple(logprobs), statistics=told or path.completion.statistics)
            found[path.id] = replace(path, completion=completion)
            if not_a_number(logprobs) is not None:
                raise NotANumber(problem, prompt, found[path.id])
    return [found.get(path.id, path) for path in paths]
