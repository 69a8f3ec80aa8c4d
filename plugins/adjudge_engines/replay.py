"""The `replay` engine: answers from texts that were recorded earlier; no model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import ClassVar, Literal

from adjudge import Engine, Judge, RowError, Session, read_rows, text_field

from .limits import check_scores_given_tokens
from .recorded import ReplaySession


class ReplayEngine(Engine):
    """Texts recorded earlier, found by the content of the prompt's last turn; a prompt without one is a failed call.

    A row: ``{"prompt": "## Query ...", "texts": ["... \\\\boxed{Assistant 1}"]}``
    """

    statistics: ClassVar[frozenset[str]] = frozenset()
    use: Literal["replay"] = "replay"
    file: FilePath
    """JSON Lines with ``prompt`` and ``texts``; the seed chooses among several texts."""
    skip_bad_lines: bool = False
    """Leave out lines that cannot be read, and say how many."""

    def check_judge(self, judge: Judge) -> None:
        check_scores_given_tokens(judge, "a file of texts", "take the engine hf or vllm, or an endpoint of vLLM's with engine.tokenizer.")

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        yield ReplaySession(dict(read_rows(self.file, skip_bad_lines=self.skip_bad_lines, parse=_recording)))


def _recording(row: dict[str, object]) -> tuple[str, list[str]]:
    """The prompt and the texts of a row; `RowError` for a row without them."""
    texts = row.get("texts")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("needs a field 'texts' with a list of texts")
    return text_field(row, "prompt"), texts
