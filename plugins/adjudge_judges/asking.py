"""What a model is asked about texts that it, or a judge in its place, might go on with: how probable each of them is.

In the place where two verdicts first differ, the log-probability of each one's token is taken, and of the two alone: what the model gives
to other tokens there counts for neither. Multi-token verdicts so need no length correction, and a verdict's common beginning, such as
``\\boxed{Assistant``, says nothing.

A judgement that asks is an `Asking`, so that many are answered in one call of the engine, step by step: `asked_together`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from adjudge import Completion, JobError, Message

Rows: TypeAlias = Sequence[Sequence[int]]
"""Token ids of texts that might stand behind a prompt."""
Result = TypeVar("Result")
Asking: TypeAlias = Generator[tuple[list[Message], Rows], list[list[float]], Result]
"""What asks for the log-probabilities of rows behind a prompt, as often as it needs to, and comes to a result."""
AT_ONCE = 8
"""Judgements that ask together: with their rows they keep an engine busy, and no more than these wait for one another."""


def asked_together(
    session: Any, sampled: Iterable[tuple[int, Completion]], asks: Callable[[int, Completion], Asking[Completion]]
) -> Iterator[tuple[int, Completion]]:
    """What has been sampled, as it comes, and as what it asks for then makes of it; one that asks for nothing waits for no other."""
    waiting: list[tuple[int, Asking[Completion], tuple[list[Message], Rows]]] = []
    try:
        for index, made in sampled:
            asking = asks(index, made)
            try:
                waiting.append((index, asking, next(asking)))
            except StopIteration as end:
                yield index, end.value
            if len(waiting) == AT_ONCE:
                window, waiting = waiting, []
                yield from _answered(session, window)
    except Exception:
        yield from _answered(session, waiting)  # what was sampled before the error is not lost
        raise
    yield from _answered(session, waiting)


def _answered(session: Any, waiting: list[tuple[int, Asking[Completion], tuple[list[Message], Rows]]]) -> Iterator[tuple[int, Completion]]:
    from adjudge_rstar import logprobs_each

    while waiting:
        left = []
        for place, known in logprobs_each(session, [asked for _, _, asked in waiting]):
            index, asking, _ = waiting[place]
            try:
                left.append((index, asking, asking.send(known)))
            except StopIteration as end:
                yield index, end.value
        waiting = left


class NoRoom(Exception):
    """A verdict does not fit into the model's context behind its prompt."""

    def __init__(self, room: int, needed: int) -> None:
        super().__init__(
            f"its prompt leaves room for {room} tokens in the model's context, and a verdict needs {needed}.\n"
            "  Remedy: write judge.on_too_long (skip, truncate-middle), shorten or drop it, or use a model with a longer context."
        )


def read_verdicts(
    session: Any, prompt: list[Message], texts: tuple[str, str], before: Completion, between: str
) -> Asking[tuple[float, tuple[Completion, Completion]]]:
    """Ask for the probability of the first of two verdicts against the second, and the judgements that end with each.

    `before` is what has been written so far, `between` what is put behind it. Raises `NoRoom` where they do not fit."""
    ends = [session.tokenize(between + text) for text in texts]
    rows = [(*before.token_ids, *end.token_ids) for end in ends]
    check_room(session, prompt, rows)
    return compared((yield prompt, rows), rows, before, ends)


def check_room(session: Any, prompt: list[Message], rows: Rows) -> None:
    """Raise `NoRoom` where the longest of these does not fit behind a prompt; not where the engine does not tell."""
    room = session.room(prompt) if hasattr(session, "room") else None
    if room is not None and room < max(map(len, rows)):
        raise NoRoom(room, max(map(len, rows)))


def compared(
    known: Sequence[Sequence[float]], rows: Rows, before: Completion, ends: Sequence[Completion]
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
