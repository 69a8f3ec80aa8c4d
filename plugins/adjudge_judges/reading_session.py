"""Sessions between a judge and an engine that ask how probable each of a judge's two verdicts is, behind what has been written so far.

In the place where two verdicts first differ, the log-probability of each one's token is taken, and of the two alone: what the model gives
to other tokens there counts for neither. Multi-token verdicts so need no length correction, and a verdict's common beginning, such as
``\\boxed{Assistant``, says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adjudge import Completion, JobError, Json, Judge, JudgeRequest, Message, ReasoningPath, Session, sample_paths

from .thinking import closing_mark


@dataclass(frozen=True, slots=True)
class Reading:
    """What a session knows of a judgement beside its text."""

    probability: float | None = None
    """Of the answer shown first."""
    told: dict[str, Json] = field(default_factory=dict)
    written: tuple[Completion, Completion] | None = None
    """The judgement that says *first* and the one that says *second*, where neither was sampled."""


class NoRoom(Exception):
    """A verdict does not fit into the model's context behind its prompt."""

    def __init__(self, room: int, needed: int) -> None:
        super().__init__(
            f"its prompt leaves room for {room} tokens in the model's context, and a verdict needs {needed}.\n"
            "  Remedy: write judge.on_too_long (skip, truncate-middle), shorten or drop it, or use a model with a longer context."
        )


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


def read_verdicts(
    session: Any, prompt: list[Message], texts: tuple[str, str], before: Completion, between: str
) -> tuple[float, tuple[Completion, Completion]]:
    """The probability of the first of two verdicts against the second, and the judgements that end with each.

    `before` is what has been written so far, `between` what is put behind it. Raises `NoRoom` where they do not fit."""
    ends = [session.tokenize(between + text) for text in texts]
    rows = [(*before.token_ids, *end.token_ids) for end in ends]
    check_room(session, prompt, rows)
    return compared(session.logprobs(prompt, rows), rows, before, ends)


def check_room(session: Any, prompt: list[Message], rows: Sequence[Sequence[int]]) -> None:
    """Raise `NoRoom` where the longest of these does not fit behind a prompt; not where the engine does not tell."""
    room = session.room(prompt) if hasattr(session, "room") else None
    if room is not None and room < max(map(len, rows)):
        raise NoRoom(room, max(map(len, rows)))


def compared(
    known: Sequence[Sequence[float]], rows: Sequence[Sequence[int]], before: Completion, ends: Sequence[Completion]
) -> tuple[float, tuple[Completion, Completion]]:
    """What the log-probabilities of both verdicts' tokens come to, and the judgements that end with each."""
    place = next(place for place, (one, other) in enumerate(zip(*rows, strict=False)) if one != other)
    lead = known[0][place] - known[1][place]
    check_finite([known[0][place], known[1][place]])
    first, second = (joined(before, end, logprobs) for end, logprobs in zip(ends, known, strict=True))
    return sigmoid(lead), (first, second)


def check_finite(logprobs: Sequence[float]) -> None:
    """Raise `JobError` where a model gives what a judge may say a log-probability that is no number."""
    if bad := [one for one in logprobs if not math.isfinite(one)]:
        raise JobError(
            f"the model gives what the judge may say the log-probability {bad[0]}.\n"
            "  Remedy: see whether its weights are whole and its precision (engine.dtype) is enough; finished records are kept."
        )


def sigmoid(lead: float) -> float:
    """The probability whose log-odds these nats are; never an overflow."""
    return 1 / (1 + math.exp(-lead)) if lead >= 0 else math.exp(lead) / (1 + math.exp(lead))


def joined(before: Completion, end: Completion, logprobs: Sequence[float]) -> Completion:
    """One completion of what was written and what was put behind it, the log-probabilities of the latter rounded as engines do."""
    size = len(before.text)
    ends = (*before.token_ends, *(place + size if place >= 0 else place for place in end.token_ends))
    kept = before.logprobs if before.logprobs is not None else logprobs[: len(before.token_ids)]
    numbers = (*kept, *logprobs[len(before.token_ids) :])
    return Completion(
        before.text + end.text, (*before.token_ids, *end.token_ids), ends, tuple(round(one, 7) for one in numbers), opened=before.opened
    )


def until(made: Completion, place: int) -> Completion:
    """The beginning of a completion: its tokens that write nothing behind this place of its text."""
    kept = next((number for number, end in enumerate(made.token_ends) if end > place), len(made.token_ends))
    written = max((end for end in made.token_ends[:kept] if end >= 0), default=0)
    return replace(
        made, text=made.text[:written], token_ids=made.token_ids[:kept], token_ends=made.token_ends[:kept],
        logprobs=None if made.logprobs is None else made.logprobs[:kept], statistics={},
    )  # fmt: skip


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
