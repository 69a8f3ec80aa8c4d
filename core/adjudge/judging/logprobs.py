"""Log-probabilities of paths by an open model."""

from collections.abc import Sequence
from dataclasses import replace

from adjudge.api.kinds import Judge, Session
from adjudge.api.values import Problem, ReasoningPath
from adjudge.errors import ConfigError, PluginError, boundary

from .paths import NotANumber, not_a_number


def with_logprobs(session: Session, judge: Judge, problem: Problem, paths: Sequence[ReasoningPath]) -> list[ReasoningPath]:
    """These paths of one problem with log-probabilities by the session's model; paths of one prompt are asked about together.

    A path without tokens is left as it is. Raises `PluginError` where an engine does not answer with one number per token."""
    found = {}
    for order in sorted({path.order for path in paths}):
        group = [path for path in paths if path.order == order and path.completion.token_ids]
        if not group:
            continue
        with boundary(judge, "prompt"):
            prompt = judge.render(problem, order)
        try:
            values = session.logprobs(prompt, [path.completion.token_ids for path in group])
        except ConfigError as error:
            raise ConfigError(f"problem {problem.id}: {error}") from None
        if list(map(len, values)) != [len(path.completion.token_ids) for path in group]:
            raise PluginError(
                "the engine's logprobs() did not answer with one number for every token.\n"
                "  Remedy: an engine returns one list per continuation, in order, with one number per token."
            )
        for path, logprobs in zip(group, values, strict=True):
            found[path.id] = replace(path, completion=replace(path.completion, logprobs=tuple(logprobs)))
            if not_a_number(logprobs) is not None:
                raise NotANumber(problem, prompt, found[path.id])
    return [found.get(path.id, path) for path in paths]
