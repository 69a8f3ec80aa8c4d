"""Sessions around an engine's own: one whose errors name the engine, and one that answers from a cache what was asked before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from adjudge import Completion, Engine, Message, Session, boundary
from adjudge_judges import tells_given_tokens
from adjudge_rstar import logprobs_each

from .cache import Cache, digest


class NamedSession:
    """The session of an engine that another engine opened: an exception of its own becomes an error that names the right engine."""

    def __init__(self, session: Session, engine: Engine) -> None:
        self._session, self._engine = session, engine

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        with boundary(self._engine, "sample"):
            yield from self._session.sample(prompts, **settings)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        with boundary(self._engine, "logprobs"):
            return self._session.logprobs(prompt, continuations, **asked)

    def logprobs_each(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, list[Any]]]:
        with boundary(self._engine, "logprobs"):
            yield from logprobs_each(self._session, prompts, **asked)

    @property
    def opens_with(self) -> str:
        return str(getattr(self._session, "opens_with", ""))

    def room(self, prompt: list[Message]) -> int | None:
        return room_of(self._session, prompt)

    @property
    def tells_given_tokens(self) -> bool:
        return tells_given_tokens(self._session)

    def listed(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, Any]]:
        session: Any = self._session
        with boundary(self._engine, "listed"):
            yield from session.listed(prompts, **asked)

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        with boundary(self._engine, "tokenize"):
            return self._session.tokenize(text, token_ids)


class CachedSession:
    """A session that knows what it was asked before; the engine is opened for what is left, and asked all of it at once."""

    def __init__(self, cache: Cache, source: str, load: Callable[[], Session]) -> None:
        self.cache, self.source, self._load = cache, source, load
        self.asked = self.known = 0

    @cached_property
    def session(self) -> Session:
        """The engine's own, opened when it is first needed."""
        return self._load()

    def sample(
        self,
        prompts: Sequence[list[Message]],
        *,
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:
        asked: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "max_new_tokens": max_new_tokens}
        asked |= {"stop": stop} if stop else {}
        keys = [digest(self.source, prompt, seed, [*asked.values()]) for prompt, seed in zip(prompts, seeds, strict=True)]
        self.asked += len(keys)
        missing: list[int] = []
        for index, key in enumerate(keys):
            if (completion := self.cache.get(key)) is None:
                missing.append(index)
            else:
                self.known += 1
                yield index, completion
        if not missing:
            return
        texts, own = [prompts[index] for index in missing], [seeds[index] for index in missing]
        yield from self._kept(self.session.sample(texts, seeds=own, **asked), {index: keys[index] for index in missing})

    def _kept(self, made: Iterator[tuple[int, Completion]], keys: dict[int, str]) -> Iterator[tuple[int, Completion]]:
        """What the engine answers, remembered before it is handed on; an index that it was not asked for stays one."""
        place = dict(enumerate(keys))
        for index, completion in made:
            if index in place:
                self.cache.put(keys[place[index]], self.source, completion)
            yield place.get(index, -1), completion

    @property
    def opens_with(self) -> str:
        return str(getattr(self.session, "opens_with", ""))

    def room(self, prompt: list[Message]) -> int | None:
        return room_of(self.session, prompt)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        return self.session.logprobs(prompt, continuations, **asked)

    def logprobs_each(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, list[Any]]]:
        return logprobs_each(self.session, prompts, **asked)

    @property
    def tells_given_tokens(self) -> bool:
        return tells_given_tokens(self.session)

    def listed(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, Any]]:
        """Answers with their likeliest tokens, which are asked for anew: completions are kept without those."""
        session: Any = self.session
        return session.listed(prompts, **asked)  # type: ignore[no-any-return]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return self.session.tokenize(text, token_ids)


def room_of(session: Session, prompt: list[Message]) -> int | None:
    """What a session says of the room behind a prompt; None for one that has nothing to say."""
    room: int | None = session.room(prompt) if hasattr(session, "room") else None
    return room
