"""Engines: `hf`, a transformers model in this process, and `replay`, texts recorded earlier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Engine, RowError, Session, hookimpl, read_rows, text_field
from adjudge.testing import ReplaySession


class HfEngine(Engine):
    """A transformers causal language model in this process, on the GPU where there is one."""

    use: Literal["hf"] = "hf"
    batch_tokens: Annotated[int, Field(gt=0)] = 65536
    """Prompt and new tokens of one batch, padding included."""
    device: str | None = None
    """As torch writes it, for example ``cuda:1``; None = CUDA where there is one, else CPU."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the weights; ``auto`` = as they are stored."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        from .hf import HfSession

        session = HfSession(model, batch_tokens=self.batch_tokens, device=self.device, dtype=self.dtype)
        try:
            yield session
        finally:
            session.close()


def _recording(row: dict[str, object]) -> tuple[str, list[str]]:
    texts = row.get("texts")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("needs a field 'texts' with a list of texts")
    return text_field(row, "prompt"), texts


class ReplayEngine(Engine):
    """Texts recorded earlier, found by the content of the prompt's last turn; a prompt without one is a failed call.

    A row: ``{"prompt": "## Query ...", "texts": ["... \\\\boxed{Assistant 1}"]}``
    """

    use: Literal["replay"] = "replay"
    file: FilePath
    """JSON Lines with ``prompt`` and ``texts``; the seed chooses among several texts."""
    skip_bad_lines: bool = False
    """Leave out lines that cannot be read, and say how many."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        yield ReplaySession(dict(read_rows(self.file, skip_bad_lines=self.skip_bad_lines, parse=_recording)))


@hookimpl
def register_engines() -> Iterable[type[Engine]]:
    return [HfEngine, ReplayEngine]
