"""A session that answers from texts recorded for each prompt, and an engine of such texts for tests and examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import ClassVar, Literal

from adjudge import Completion, ConfigError, Engine, Judge, Message

from .limits import check_scores_given_tokens
from .openai_stops import cut_at


class ReplaySession:
    """Answers from texts recorded for each prompt, the seed choosing among several; an unknown prompt is a failed call."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self.texts = texts

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:  # fmt: skip
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            known = self.texts.get(prompt[-1]["content"])
            if not known:
                yield index, Completion("", error="no text is recorded for this prompt")
            else:
                yield index, cut_at(Completion(known[seed % len(known)]), stop)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError("recorded texts have no log-probabilities")

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        raise ConfigError("engine: recorded texts have no tokens.\n  Remedy: name an engine that loads the model, for example hf.")


class RecordedEngine(Engine):
    """Replays texts by the content of a prompt's last turn; for tests and examples."""

    statistics: ClassVar[frozenset[str]] = frozenset()
    use: Literal["replay-texts"] = "replay-texts"
    texts: dict[str, list[str]] = {}
    """Texts to answer with, by the last turn's content."""

    def check_judge(self, judge: Judge) -> None:
        check_scores_given_tokens(judge, "a list of texts", "take an engine that loads a model, such as hf.")

    @contextmanager
    def open(self, model: FilePath) -> Iterator[ReplaySession]:
        yield ReplaySession(self.texts)
