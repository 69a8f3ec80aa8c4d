"""Sessions between a judge and an engine that ask how probable each of a judge's two verdicts is, behind what has been written so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adjudge import Completion, Json, Judge, JudgeRequest, Message, ReasoningPath, Session, sample_paths

from .asking import NoRoom, check_room, compared
from .thinking import closing_mark


@dataclass(frozen=True, slots=True)
class Reading:
    """What a session knows of a judgement beside its text."""

    probability: float | None = None
    """Of the answer shown first."""
    told: dict[str, Json] = field(default_factory=dict)
    written: tuple[Completion, Completion] | None = None
    """The judgement that says *first* and the one that says *second*, where neither was sampled."""


class ReadingSession:
    """A session that passes everything on, and keeps what it has read of each judgement by its seed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.readings: dict[int, Reading] = {}

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        raise NotImplementedError

    def room(self, prompt: list[Message]) -> int | None:
        """Tokens that are left behind this prompt; None where the engine does not tell."""
        room: int | None = self.session.room(prompt) if hasattr(self.session, "room") else None
        return room

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        return self.session.logprobs(prompt, continuations, **asked)

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return self.session.tokenize(text, token_ids)


class DirectSession(ReadingSession):
    """Its completions are not sampled: each is the more probable verdict, right behind the prompt."""

    def __init__(self, session: Session, texts: tuple[str, str], prefix: str = "") -> None:
        super().__init__(session)
        self.texts = texts
        opened = opens_with(session)
        self.before = Completion("", opened=opened)
        self.prefix = closed(opened) + prefix

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        from adjudge_rstar import logprobs_each, windows

        ends = [self.session.tokenize(self.prefix + text) for text in self.texts]
        rows = [end.token_ids for end in ends]
        for some in windows(range(len(prompts)), lambda _: len(rows)):
            fits = []
            for index in some:
                try:
                    check_room(self.session, prompts[index], rows)
                    fits.append(index)
                except NoRoom as error:
                    yield index, Completion("", error=str(error))
            for place, known in logprobs_each(self.session, [(prompts[index], rows) for index in fits]):
                probability, written = compared(known, rows, self.before, ends)
                self.readings[seeds[fits[place]]] = Reading(probability, written=written)
                yield fits[place], written[probability < 0.5]


def opens_with(session: Any) -> str:
    """What the chat template writes before a judgement, where it begins the thinking itself and the session tells."""
    return str(getattr(session, "opens_with", ""))


def closed(text: str) -> str:
    """What ends the thinking that a text has begun, with the empty line that models write there; nothing where none is open."""
    mark = closing_mark(text)
    return f"\n{mark}\n\n" if mark else ""


def read_paths(session: ReadingSession, judge: Judge, requests: Sequence[JudgeRequest]) -> Iterator[tuple[ReasoningPath, Reading | None]]:
    """Judgements with the probabilities of their verdicts, and what a `ReadingSession` has read of each."""
    seeds = {request.id: request.seed for request in requests}
    for path in sample_paths(session, judge, requests):
        reading = session.readings.pop(seeds[path.id], None)
        if reading is not None and path.verdict.outcome.decided:
            verdict = replace(path.verdict, probability=reading.probability, told={**path.verdict.told, **reading.told})
            yield replace(path, verdict=verdict), reading
        else:
            yield path, reading


def noted(session: Any, paths: Iterator[ReasoningPath], *, sampled: bool) -> Iterator[ReasoningPath]:
    """These paths, each told to a session that keeps or counts what is made; those that nothing was `sampled` for count as made here."""
    note = getattr(session, "note", None)
    for path in paths:
        if note is not None:
            note(path, sampled=sampled)
        yield path
