"""A judge among others, and what answers for it: the model at hand, unless it names a model or an engine of its own.

A model of its own is opened when it is first asked and held until the call ends (`members_open`), so that two local models need room for
both; where nobody holds it, as in the stages of a run, it is opened for each batch of judgements and let go of after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from adjudge import ConfigError, Engine, Judge, JudgeRequest, Options, ReasoningPath, Session, boundary, find_model, sample_paths
from adjudge_judges import needs_given_tokens, needs_logprobs

_held: dict[int, ExitStack] = {}
"""Where members' sessions are to be held, by the member's identity."""
_sessions: dict[int, Session] = {}
"""Sessions that are held."""


class Member(Options):
    """A judge among others."""

    judge: Judge
    """How it judges."""
    model: str | None = None
    """Model folder of its own; None = the model at hand."""
    engine: Engine | None = None
    """Engine of its own, such as an endpoint with a larger model; None = the one at hand, or `hf` for a `model`."""
    price: Annotated[float, Field(ge=0)] | None = None
    """What a million tokens cost that it writes, in any currency; None = unknown, and no costs are told."""

    @property
    def own(self) -> bool:
        """Whether something else than the model at hand answers for it."""
        return self.model is not None or self.engine is not None

    @property
    def needs_logprobs(self) -> bool:
        """Whether it asks the engine at hand for log-probabilities of given tokens."""
        return not self.own and needs_logprobs(self.judge)

    @property
    def needs_given_tokens(self) -> bool:
        """Whether listed ones of its answers will not do."""
        return not self.own and needs_given_tokens(self.judge)

    @model_validator(mode="after")
    def _engine_can_judge(self) -> Self:
        if self.engine is None:
            return self
        if self.model is None and not self.engine.ignores_model_folder:
            raise ValueError(f"engine {self.engine.use!r} loads a model: name it as 'model', or leave the engine out")
        try:
            self.engine.check_judge(self.judge)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        """Its judgements, by the session at hand or its own."""
        with self._opened(session) as asked:
            yield from sample_paths(asked, self.judge, requests)

    @contextmanager
    def _opened(self, session: Session) -> Iterator[Session]:
        if not self.own:
            yield session
        elif id(self) in _sessions:
            yield _sessions[id(self)]
        elif id(self) in _held:
            _sessions[id(self)] = _held[id(self)].enter_context(self._loaded())
            yield _sessions[id(self)]
        else:
            with self._loaded() as loaded:
                yield loaded

    @contextmanager
    def _loaded(self) -> Iterator[Session]:
        engine = self.engine
        if engine is None:
            from adjudge_engines import HfEngine

            engine = HfEngine()
        with boundary(engine, "open"):
            opening = engine.open(find_model(self.model) if self.model is not None else FilePath())
        with opening as loaded:
            yield loaded


@contextmanager
def members_open(members: Iterable[Member]) -> Iterator[None]:
    """While this lasts, what members load stays loaded."""
    own = [id(member) for member in members if member.own]
    with ExitStack() as stack:
        _held.update(dict.fromkeys(own, stack))
        try:
            yield
        finally:
            for ident in own:
                _held.pop(ident, None)
                _sessions.pop(ident, None)


def as_member(given: Any) -> Any:
    """A judge's name or options stand for a member with nothing of its own."""
    return {"judge": given} if isinstance(given, str | Judge) or (isinstance(given, dict) and "use" in given) else given


OneOf = Annotated[Member, BeforeValidator(as_member)]


def named(members: Sequence[Member]) -> list[str]:
    """A name for each: that of its judge, with its place where several have it."""
    uses = [member.judge.use for member in members]
    return [use if uses.count(use) == 1 else f"{place}-{use}" for place, use in enumerate(uses, 1)]


def cost(members: Sequence[Member], tokens: Sequence[int]) -> float | None:
    """What so many tokens of each cost; None where a price of one that wrote some is unknown."""
    if any(member.price is None for member, count in zip(members, tokens, strict=True) if count):
        return None
    return sum(count * (member.price or 0) for member, count in zip(members, tokens, strict=True)) / 1e6
