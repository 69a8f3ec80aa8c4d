"""The engine `ray`: an engine that wraps an engine, opens it in workers all over a Ray cluster, and shares the prompts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from adjudge import Engine, Json, Judge, Message, Session

from .options import ClusterOptions, check_installed


class RayEngine(ClusterOptions, Engine):
    """Another engine, opened on the nodes of a Ray cluster; every completion is the one that it gives on one machine."""

    use: Literal["ray"] = "ray"
    engine: Engine
    """The engine that every worker opens. The model folder, and files that this engine names, have the same path on every node."""
    per_process: ClassVar[bool] = False
    without_effect: ClassVar[frozenset[str]] = frozenset(ClusterOptions.model_fields)

    @field_validator("engine")
    @classmethod
    def _loads_models(cls, engine: Engine) -> Engine:
        if isinstance(engine, RayEngine):
            return engine.engine
        if engine.ignores_model_folder:
            raise ValueError(f"{engine.use!r} asks a model that is served elsewhere, which more clients make no faster; leave ray out")
        return engine

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        check_installed()
        from .cluster import connected
        from .session import RaySession

        with connected(self.address), RaySession(self, model.absolute()) as session:
            yield session

    @property
    def trust_remote_code(self) -> bool:
        """Whether Python code that lies in the model folder may run, where the engine has such an option."""
        return bool(getattr(self.engine, "trust_remote_code", False))

    @property
    def statistics(self) -> frozenset[str]:  # type: ignore[override]
        return self.engine.statistics

    def asked_whole(self) -> bool:
        return self.engine.asked_whole()

    def adapter_label(self) -> str | None:
        return self.engine.adapter_label()

    def check_judge(self, judge: Judge) -> None:
        check_installed()
        self.engine.check_judge(judge)

    def fingerprint(self) -> Json | None:
        return self.engine.fingerprint()

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return self.engine.count_tokens(model, prompts)

    def sampling_load(self, sequence: int) -> Any:
        return self.engine.sampling_load(sequence)
