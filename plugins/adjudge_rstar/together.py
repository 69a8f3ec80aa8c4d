"""Log-probabilities of many prompts' paths, asked for in one call where a session can tell them so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from adjudge import ConfigError, Judge, Message, PluginError, Problem, ReasoningPath, Session, boundary

Item = TypeVar("Item")
Prompted: TypeAlias = tuple[list[Message], Sequence[Sequence[int]]]
"""A prompt, and the token ids of what may stand behind it."""
AT_ONCE = 256
"""Paths that are asked for together: they keep an engine busy, and hold little memory."""


def logprobs_each(session: Session, prompts: Sequence[Prompted], **asked: Any) -> Iterator[tuple[int, list[Any]]]:
    """What `Session.logprobs` says of every prompt with its continuations, and the prompt's place, in any order, as it comes.

    All is asked for in one call where the session has a method of this name, and else one prompt after the other. What it
    leaves out is asked for by itself. Raises `PluginError` where it answers a prompt twice.
    """
    if not hasattr(session, "logprobs_each"):
        yield from ((place, session.logprobs(*one, **asked)) for place, one in enumerate(prompts))
        return
    waiting = set(range(len(prompts)))
    for place, found in session.logprobs_each(prompts, **asked):
        if place not in waiting:
            raise PluginError(
                f"the engine's logprobs_each() answered prompt {place} of {len(prompts)} twice, or there is no such prompt.\n"
                "  Remedy: an engine yields the place of every prompt once."
            )
        waiting.remove(place)
        yield place, found
    yield from ((place, session.logprobs(*prompts[place], **asked)) for place in sorted(waiting))


def windows(items: Iterable[Item], paths: Callable[[Item], int], most: int = AT_ONCE) -> Iterator[list[Item]]:
    """Items in their order, as many at a time as have no more than so many paths together, and at least one."""
    window: list[Item] = []
    held = 0
    for item in items:
        if window and held + paths(item) > most:
            yield window
            window, held = [], 0
        window.append(item)
        held += paths(item)
    if window:
        yield window


class Told:
    """A session that has some answers of `logprobs` already; for everything else the engine's own is asked."""

    def __init__(self, session: Session) -> None:
        self.session, self.answers = session, dict[Any, list[Any]]()

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        known = self.answers.pop(_key(prompt, continuations, **asked), None)
        return self.session.logprobs(prompt, continuations, **asked) if known is None else known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def _key(prompt: list[Message], continuations: Sequence[Sequence[int]], statistics: Collection[str] = ()) -> Any:
    return json.dumps(prompt), tuple(map(tuple, continuations)), tuple(statistics)


def ask_together(
    session: Session, judge: Judge, groups: Sequence[tuple[Problem, Sequence[ReasoningPath]]], statistics: Collection[str] = ()
) -> Iterator[tuple[int, Session]]:
    """The place of every problem, as its paths' numbers come, and a session that answers `with_logprobs` of these paths with them.

    What an engine cannot use ends its answers; the problems that are left get theirs when they are asked for, one by one, so that the
    error names the one that it is about.
    """
    calls = [
        (place, order, [path.completion.token_ids for path in paths if path.order == order and path.completion.token_ids])
        for place, (_, paths) in enumerate(groups)
        for order in sorted({path.order for path in paths if path.completion.token_ids})
    ]
    with boundary(judge, "prompt"):
        prompts = [(judge.render(groups[place][0], order), ids) for place, order, ids in calls]
    names = sorted({*statistics} - {"logprob"})
    asked: dict[str, Any] = {"statistics": names} if names else {}
    left = Counter(place for place, _, _ in calls)
    told: list[Any] = [Told(session) for _ in groups]
    yield from ((place, told[place]) for place in range(len(groups)) if not left[place])
    with suppress(ConfigError):
        for number, rows in logprobs_each(session, prompts, **asked) if len(calls) > 1 else ():
            place = calls[number][0]
            told[place].answers[_key(*prompts[number], **asked)] = rows
            left[place] -= 1
            if not left[place]:
                yield place, told[place]
    yield from ((place, told[place]) for place in range(len(groups)) if left[place])
