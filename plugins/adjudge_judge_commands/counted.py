"""A session that counts what it has done, for progress and for what a call says at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adjudge import (
    Completion,
    ConfigError,
    Engine,
    Judge,
    Message,
    Outcome,
    ReasoningPath,
    Session,
    boundary,
    read_verdict,
)
from adjudge_judges import tells_given_tokens
from adjudge_report import Readability
from adjudge_rstar import logprobs_each

log = logging.getLogger("adjudge.judging")
AT_ONCE = 2048
"""Judgements that are asked for together, and answers that are ranked together: full batches, and memory that rows do not add to."""


class CountedSession:
    """A session that counts what it has done; an exception of its engine becomes an error that names the engine."""

    def __init__(self, session: Session, engine: Engine, judge: Judge) -> None:
        self.session, self.engine, self.judge = session, engine, judge
        self.readable = Readability(judge)
        self.readers = {judge.use: self.readable}
        """Counts by the name of whoever reads, where the judge is asked in more than one way."""
        self.by_parts = bool(getattr(judge, "judges_by_parts", False))
        """Whether completions are parts of judgements, which `note` is told of when they are whole."""
        self.total = self.asked = self.done = self.failed = self.sampled = self.tokens = 0
        """Completions expected, asked for, come back and failed; tokens of those that came back; tokens of which log-probabilities were
        taken."""
        self.last_error = ""
        self.kept: dict[int, tuple[list[Message], Completion]] | None = None
        """Prompts and what came back, by the seeds that they were sampled with; None = they are not kept."""
        self.noted: dict[str, ReasoningPath] = {}
        """Judgements by their ids that a judge made in its own way, where they are kept."""
        self.at_once = AT_ONCE
        """Judgements that are asked for together."""
        self.closed = False
        """Whether its context has ended."""

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        self._check_open()
        self.asked += len(prompts)
        self.total = max(self.total, self.asked)
        with boundary(self.engine, "sample"):
            for index, completion in self.session.sample(prompts, **settings):
                self.done += 1
                self.sampled += len(completion.token_ids)
                if completion.error is not None:
                    self.failed, self.last_error = self.failed + 1, completion.error
                elif not self.by_parts:
                    self._read(read_verdict(self.judge, completion).outcome, completion)
                if self.kept is not None:
                    self.kept[settings["seeds"][index]] = (prompts[index], completion)
                yield index, completion

    @contextmanager
    def read_by(self, judge: Judge) -> Iterator[None]:
        """While this lasts, completions are judgements of this judge, such as the same one about an answer by itself."""
        before = self.judge, self.readable
        self.judge, self.readable = judge, self.readers.setdefault(judge.use, Readability(judge))
        try:
            yield
        finally:
            self.judge, self.readable = before

    def note(self, path: ReasoningPath, *, sampled: bool) -> None:
        """Count a judgement that the judge made in its own way, and keep it; what was `sampled` for it has been counted."""
        if not sampled:
            self.done, self.asked = self.done + 1, self.asked + 1
            self.total = max(self.total, self.asked)
            if path.completion.error is not None:
                self.failed, self.last_error = self.failed + 1, path.completion.error
        self._read(path.verdict.outcome, path.completion)
        if self.kept is not None:
            self.noted[path.id] = path

    def _read(self, outcome: Outcome, completion: Completion) -> None:
        """Warn where few of the first judgements are verdicts."""
        if warning := self.readable.add(outcome, completion.text):
            log.warning(warning)

    @property
    def opens_with(self) -> str:
        """What the chat template writes before a judgement, where it begins the thinking itself."""
        return str(getattr(self.session, "opens_with", ""))

    def room(self, prompt: list[Message]) -> int | None:
        """Tokens that are left for a judgement behind this prompt; None where the engine does not tell."""
        room: int | None = self.session.room(prompt) if hasattr(self.session, "room") else None
        return room

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        self._check_open()
        with boundary(self.engine, "logprobs"):
            found = self.session.logprobs(prompt, continuations, **asked)
        self.tokens += sum(map(len, continuations))
        return found

    def logprobs_each(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, list[Any]]]:
        self._check_open()
        with boundary(self.engine, "logprobs"):
            for place, found in logprobs_each(self.session, prompts, **asked):
                self.tokens += sum(map(len, prompts[place][1]))
                yield place, found

    @property
    def tells_given_tokens(self) -> bool:
        """Whether the engine tells log-probabilities of given tokens, and not only of its own answers."""
        return tells_given_tokens(self.session)

    def listed(self, prompts: Sequence[Any], **asked: Any) -> Iterator[tuple[int, Any]]:
        """Answers with their likeliest tokens, of an engine that tells no others."""
        self._check_open()
        session: Any = self.session
        with boundary(self.engine, "listed"):
            yield from session.listed(prompts, **asked)

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        self._check_open()
        with boundary(self.engine, "tokenize"):
            return self.session.tokenize(text, token_ids)

    def _check_open(self) -> None:
        if self.closed:
            raise ConfigError(
                "the judge is closed: its context has ended, and its model was let go of.\n"
                "  Remedy: use it inside 'with adjudge.open_judge(...)', or open it again."
            )
