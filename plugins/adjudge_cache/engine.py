"""The `cached` engine: an engine that wraps an engine, and asks it only what the cache does not know. Docs: decisions/0012."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import field_validator

from adjudge import Engine, Json, Judge, Message, Session, boundary


class CachedEngine(Engine):
    """Another engine, asked only what the same model was not asked before; completions are kept between calls in one file."""

    use: Literal["cached"] = "cached"
    engine: Engine
    """The engine that answers what is not known; one that does not tell what its answers depend on is asked everything."""

    @field_validator("engine")
    @classmethod
    def _once(cls, engine: Engine) -> Engine:
        return engine.engine if isinstance(engine, CachedEngine) else engine

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        """The wrapped engine is opened when it is first needed, or at once where it cannot be cached."""
        from .cache import Cache, cache_file
        from .session import CachedSession, NamedSession
        from .source import source_of

        cache = Cache(cache_file())
        with ExitStack() as stack:
            stack.callback(cache.close)

            def load() -> Session:
                with boundary(self.engine, "open"):
                    return NamedSession(stack.enter_context(self.engine.open(model)), self.engine)

            source = source_of(self.engine, model, cache)
            if source is None:
                yield load()
                return
            session = CachedSession(cache, source, load)
            yield session
        if session.asked:
            share = session.known / session.asked
            print(f"cache: {session.known} of {session.asked} judgements ({share:.0%}) were known; {cache.file}", file=sys.stderr)

    @property
    def per_process(self) -> bool:  # type: ignore[override]
        return self.engine.per_process

    @property
    def statistics(self) -> frozenset[str]:  # type: ignore[override]
        return self.engine.statistics

    @property
    def ignores_model_folder(self) -> bool:  # type: ignore[override]
        return self.engine.ignores_model_folder

    @property
    def trust_remote_code(self) -> bool:
        """Whether Python code that lies in the model folder may run, where the engine has such an option."""
        return bool(getattr(self.engine, "trust_remote_code", False))

    def asked_whole(self) -> bool:
        return self.engine.asked_whole()

    def adapter_label(self) -> str | None:
        return self.engine.adapter_label()

    def check_judge(self, judge: Judge) -> None:
        self.engine.check_judge(judge)

    def fingerprint(self) -> Json | None:
        return self.engine.fingerprint()

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return self.engine.count_tokens(model, prompts)

    def sampling_load(self, sequence: int) -> Any:
        return self.engine.sampling_load(sequence)
