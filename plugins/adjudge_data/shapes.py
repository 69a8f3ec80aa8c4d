"""What a row compares, in whatever shape people have it: a prompt, its answers as texts, and which of them are the better ones.

{"prompt": "37+48", "chosen": [{"role": "user", "content": "37+48"}, {"role": "assistant", "content": "85"}], "rejected": [...]}

The shapes are those of TRL's data sets of preferences, of ShareGPT, hh-rlhf, UltraFeedback, and of arenas' votes; docs/data.md has an
example of each. What belongs to a row and cannot be shown to a judge of texts is a `RowError`, and so is a row that compares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from adjudge import ConfigError, did_you_mean

from .chat import shown, turns_in
from .openings import opened_by, without_media
from .prompts import Side, apart
from .row_errors import RowError
from .votes import COLUMNS, with_winner

Columns: TypeAlias = Mapping[str, str | list[str] | None]
"""Names that a reader knows, and the columns of a row that have these; None = the row is read as if it had no such column."""
WINNERS = {
    "model_a": 0, "a": 0, "model_b": 1, "b": 1,
    "tie": None, "tie (bothbad)": None, "tie (inconsistent)": None, "both_bad": None, "bothbad": None,
}  # fmt: skip
"""What arenas' votes say, in any case of letters: the place of the better answer, None for a tie."""
VOTED_ON = (("conversation_a", "conversation_b"), ("response_a", "response_b"), ("answer_a", "answer_b"))
KNOWN = (
    "id", "prompt", "answers", "label", "chosen", "rejected", "system", "tools", "winner", "meta", "completion", "text", "texts",
    "problem_id", "order", "outcome", "truncated", "source", *(name for pair in VOTED_ON for name in pair),
    "conversations", "conversation", "messages",
)  # fmt: skip
"""Names of columns that are read, and may be given another one by `columns`."""
CONVERSATIONS = ("conversations", "conversation", "messages")
NO_ANSWERS = "has no field 'answers' that is a list of texts (nor the texts 'chosen' and 'rejected')"
ONE_ANSWER = "compares nothing: it has a prompt and {}, and a judgement takes two answers to one prompt, as 'chosen' and 'rejected'"


@dataclass(frozen=True, slots=True)
class Compared:
    """Answers to one prompt."""

    prompt: str
    answers: tuple[str, ...]
    better: tuple[int, ...] = ()
    """Places of the answers that are better than all others; empty where nothing is said, and for a tie."""
    tie: bool = False
    """Whether somebody compared the answers and found none better."""


def compared(row: Mapping[str, Any], columns: Columns | None = None) -> Compared:
    """What a row compares, its columns under the names that `columns` give; raises `RowError`."""
    row = with_winner(named(row, columns or {}))
    without_media(row)
    if row.get("answers") is not None:
        return _of_answers(row)
    if row.get("chosen") is not None or row.get("rejected") is not None:
        return _of_preference(row)
    if "winner" in row:
        return _of_vote(row)
    raise _nothing_compared(row)


def named(row: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """The row with its columns under the names that a reader knows; raises `ConfigError` for a name that none knows."""
    for name, given in columns.items():
        if given is not None and name not in KNOWN:
            raise ConfigError(f"columns: no reader knows {name!r}{did_you_mean(name, KNOWN)}   (known: {', '.join(KNOWN)})")
    sources = [source for given in columns.values() if given is not None for source in ([given] if isinstance(given, str) else given)]
    for source in sources:
        if source not in row:
            raise RowError(f"has no field {source!r}, which 'columns' names (it has: {', '.join(map(str, row)) or 'none'})")
    found = {key: value for key, value in row.items() if key not in sources and key not in columns}
    for name, given in columns.items():
        if given is not None:
            found[name] = row[given] if isinstance(given, str) else [row[one] for one in given]
    return found


def _of_answers(row: Mapping[str, Any]) -> Compared:
    answers = row["answers"]
    if not isinstance(answers, list | tuple):
        raise RowError(NO_ANSWERS)
    for number, answer in enumerate(answers, 1):
        if not isinstance(answer, str | Mapping | list):
            raise RowError(f"{NO_ANSWERS}: answer number {number} is a {type(answer).__name__}")
    if row.get("prompt") is None and not any(row.get(name) for name in CONVERSATIONS):
        raise RowError(f"has no field 'prompt' (it has: {', '.join(map(str, row)) or 'none'})")
    prompt, texts = _shown(row, [_side(answer, "answers") for answer in answers])
    return Compared(prompt, texts, _labelled(row.get("label"), len(texts)))


def _labelled(label: Any, size: int) -> tuple[int, ...]:
    if label is None:
        return ()
    if isinstance(label, bool) or not isinstance(label, int):
        raise RowError(f"has the label {label!r}; a label is the right answer's index, a whole number from 0 to {size - 1}")
    if not 0 <= label < size:
        raise RowError(f"has the label {label}; its {size} answers have the indices 0 to {size - 1}")
    return (label,)


def _of_preference(row: Mapping[str, Any]) -> Compared:
    chosen, rejected = _sides(row, "chosen"), _sides(row, "rejected")
    prompt, texts = _shown(row, [*chosen, *rejected])
    return Compared(prompt, texts, tuple(range(len(chosen))))


def _of_vote(row: Mapping[str, Any]) -> Compared:
    winner = row["winner"]
    known = winner.lower() if isinstance(winner, str) else ""
    if known not in WINNERS:
        raise RowError(f"has the winner {winner!r}, which is none of {', '.join(WINNERS)}")
    names = next((pair for pair in VOTED_ON if all(row.get(name) is not None for name in pair)), None)
    if names is None:
        raise RowError(f"has a winner and none of these to compare: {', or '.join(' and '.join(pair) for pair in VOTED_ON)}")
    prompt, texts = _shown(row, [_side(row[name], name) for name in names])
    place = WINNERS[known]
    return Compared(prompt, texts, () if place is None else (place,), tie=place is None)


def _shown(row: Mapping[str, Any], sides: Sequence[Side]) -> tuple[str, tuple[str, ...]]:
    """The prompt and the answers as a judge is shown them, with the system's message and the tools before the prompt."""
    given = row.get("prompt")
    prompt = given if given is None or isinstance(given, str) else turns_in(given, "prompt")
    spare = next((turns_in(row[name], name) for name in CONVERSATIONS if row.get(name)), None)
    prompt, answers = apart(prompt, sides, spare)
    return shown(opened_by(row, prompt)), tuple(map(shown, answers))


def _sides(row: Mapping[str, Any], name: str) -> list[Side]:
    """One answer, or several: a list of texts, or of conversations."""
    value = row.get(name)
    if isinstance(value, list) and value and (all(isinstance(one, str) for one in value) or all(isinstance(one, list) for one in value)):
        return [_side(one, name) for one in value]
    return [_side(value, name)]


def _side(value: Any, name: str) -> Side:
    if isinstance(value, str):
        return value
    turns = turns_in(value, name)
    if len(turns) > 1 and all(turn.role == "assistant" for turn in turns):
        raise RowError(f"has in {name!r} messages of the assistant alone; several answers are a list of texts or of conversations")
    return turns


def _nothing_compared(row: Mapping[str, Any]) -> RowError:
    if "completion" in row:
        return RowError(ONE_ANSWER.format("one 'completion'" + " with its label (TRL's unpaired preference)" * ("label" in row)))
    if any(row.get(name) for name in CONVERSATIONS):
        return RowError("compares nothing: it is one conversation, and a judgement takes two answers to one prompt")
    if any(name in row for name in COLUMNS):
        missing = [name for name in COLUMNS if name not in row]
        return RowError(
            f"is an arena's vote without {' and '.join(map(repr, missing))}; a vote has all of {', '.join(COLUMNS)}, or 'winner'"
        )
    if row.get("prompt") is not None:
        return RowError(NO_ANSWERS)
    return RowError(f"has no field 'prompt' (it has: {', '.join(map(str, row)) or 'none'})")
