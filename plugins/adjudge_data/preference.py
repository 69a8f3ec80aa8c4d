"""TRL's preference format: a prompt with a chosen and a rejected answer, as plain texts or as lists of messages.

{"prompt": "What is 37+48?", "chosen": "85", "rejected": "75"}

Conversational rows hold messages (``{"role": "user", "content": "…"}``) in place of texts; without a `prompt`, it is the conversation
that `chosen` and `rejected` begin with. A seeded coin per row decides which answer stands first, so that the label says nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Problem, RowError, coin

from .row_files import RowFile, differ

Turns = list[dict[str, Any]]


class Preference(RowFile):
    """TRL's preference format, plain or conversational, each pair in seeded random order."""

    use: Literal["preference"] = "preference"
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides which of the two answers stands first; the rows themselves stay in the file's order."""

    def _read(self, row: dict[str, Any]) -> Problem:
        return preferred(row, self.seed)


def preferred(row: dict[str, Any], seed: int) -> Problem:
    """The problem that a row of a prompt with a chosen and a rejected answer is, its id still empty; raises `RowError`."""
    prompt, chosen, rejected = _texts(row)
    differ((chosen, rejected))
    # The coin knows the two texts and not which one is chosen.
    shown = sorted((chosen, rejected), reverse=coin("presented order", seed, prompt, *sorted((chosen, rejected))))
    return Problem("", prompt, tuple(shown), shown.index(chosen))


def _texts(row: dict[str, Any]) -> tuple[str, str, str]:
    chosen, rejected = _turns_or_text(row, "chosen"), _turns_or_text(row, "rejected")
    if row.get("prompt") is not None:
        return _text(_turns_or_text(row, "prompt")), _text(chosen), _text(rejected)
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise RowError("has no field 'prompt'; only conversations may leave it out")
    shared = _shared(chosen, rejected)
    if not shared or shared in (len(chosen), len(rejected)):
        raise RowError("has no field 'prompt', and 'chosen' and 'rejected' do not begin with one conversation that both go on from")
    return _text(chosen[:shared]), _text(chosen[shared:]), _text(rejected[shared:])


def _turns_or_text(row: dict[str, Any], name: str) -> str | Turns:
    value = row.get(name)
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise RowError(f"has no field {name!r} that is a text or a list of messages")
    for turn in value:
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
            raise RowError(f"has a message in {name!r} without the texts 'role' and 'content'")
    return value


def _shared(one: Turns, other: Turns) -> int:
    """How many leading messages two conversations share."""
    pairs = enumerate(zip(one, other, strict=False))
    said = ("role", "content")
    return next((index for index, (a, b) in pairs if any(a[key] != b[key] for key in said)), min(len(one), len(other)))


def _text(value: str | Turns) -> str:
    """A single message is its content; a longer conversation names who speaks."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return str(value[0]["content"])
    return "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in value)
