"""What runs on the nodes: an actor that has the engine open, and answers for the prompts it is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any, TypeVar

from adjudge import AdjudgeError, Completion, ConfigError, DataError, Engine, JobError, Message, PluginError, Session, boundary

Result = TypeVar("Result")
PLAIN = (DataError, ConfigError, JobError, PluginError, AdjudgeError)
"""Errors that can be sent to another process; those that take more than a message are sent as the class above them."""


class Worker:
    """An engine with the model loaded. It is loaded with the first question, so that what goes wrong then is told to who asked."""

    def __init__(self, engine: Engine, model: FilePath) -> None:
        self.engine, self.model = engine, model
        self.stack = ExitStack()
        self.session: Session | None = None

    def ready(self) -> None:
        """Come back once the model is loaded."""
        self._asked("open", lambda session: None)

    def sample(self, prompts: Sequence[list[Message]], settings: dict[str, Any]) -> list[tuple[int, Completion]]:
        return self._asked("sample", lambda session: list(session.sample(prompts, **settings)))

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], asked: dict[str, Any]) -> list[Any]:
        return self._asked("logprobs", lambda session: session.logprobs(prompt, continuations, **asked))

    def tokenize(self, text: str, token_ids: Sequence[int]) -> Completion:
        return self._asked("tokenize", lambda session: session.tokenize(text, token_ids))

    def room(self, prompt: list[Message]) -> int | None:
        return self._asked("room", lambda session: session.room(prompt) if hasattr(session, "room") else None)

    def close(self) -> None:
        """Let go of the model."""
        self.stack.close()

    def _asked(self, verb: str, question: Callable[[Session], Result]) -> Result:
        with _sendable():
            if self.session is None:
                with boundary(self.engine, "open"):
                    self.session = self.stack.enter_context(self.engine.open(self.model))
            with boundary(self.engine, verb):
                return question(self.session)


@contextmanager
def _sendable() -> Iterator[None]:
    try:
        yield
    except AdjudgeError as error:
        raise next(cls for cls in PLAIN if isinstance(error, cls))(str(error)) from None
