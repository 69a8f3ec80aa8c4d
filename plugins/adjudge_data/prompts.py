"""Tells the prompt from the answers where both are in one conversation, as TRL's `extract_prompt` does for messages.

A prompt that stands as a text beside conversations which repeat it (UltraFeedback) is these conversations' own beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .chat import Turn, dialogue_in
from .row_errors import RowError

Side: TypeAlias = str | list[Turn]
NO_PROMPT = "has no field 'prompt', and its answers do not begin with one conversation that all of them go on from"


def apart(prompt: Side | None, sides: Sequence[Side], spare: list[Turn] | None) -> tuple[Side, list[Side]]:
    """The prompt and the answers without it; `spare` is a conversation that is the prompt where nothing else is.

    Raises `RowError` where there is no prompt, or where two of them say different things.
    """
    dialogues = [dialogue_in(side) if isinstance(side, str) else None for side in sides]
    if all(found is not None for found in dialogues) and not isinstance(prompt, list):
        sides = [found for found in dialogues if found is not None]
    if prompt is None:
        return _implicit(sides, spare)
    if isinstance(prompt, str):
        return _beside_text(prompt, sides)
    return prompt, [side[len(prompt) :] if isinstance(side, list) and _goes_on(side, prompt) else side for side in sides]


def _implicit(sides: Sequence[Side], spare: list[Turn] | None) -> tuple[Side, list[Side]]:
    conversations = [side for side in sides if isinstance(side, list)]
    if len(conversations) == len(sides) and (shared := _shared(conversations)):
        return conversations[0][:shared], [side[shared:] for side in conversations]
    if spare is not None:
        return spare, [side[len(spare) :] if isinstance(side, list) and _goes_on(side, spare) else side for side in sides]
    if len(conversations) < len(sides):
        raise RowError("has no field 'prompt'; only conversations, or dialogues of 'Human:' and 'Assistant:', may leave it out")
    raise RowError(NO_PROMPT)


def _beside_text(prompt: str, sides: Sequence[Side]) -> tuple[Side, list[Side]]:
    """Answers that are texts or end turns stand as they are; conversations that begin before have to repeat the prompt."""
    whole = [side for side in sides if isinstance(side, list) and side[0].role != "assistant"]
    if not whole:
        return prompt, list(sides)
    shared = _shared(whole) if len(whole) == len(sides) else 0
    if not shared:
        raise RowError("has a 'prompt' that is a text, and conversations that do not go on from it")
    if _plain(prompt) not in {*(_plain(turn.text) for turn in whole[0][:shared]), *_of_dialogue(prompt, whole[0][:shared])}:
        raise RowError(
            "has a 'prompt' that is a text and says something else than the conversations that its answers begin with;"
            " 'columns: {prompt: null}' reads these alone"
        )
    return whole[0][:shared], [side[shared:] for side in whole]


def _of_dialogue(prompt: str, turns: Sequence[Turn]) -> list[str]:
    """The prompt itself where it is these turns as a plain dialogue, perhaps with the name of who speaks next."""
    read = [turn for turn in dialogue_in(prompt) or () if turn.text.strip()]
    return [_plain(prompt)] if [_plain(turn.text) for turn in read] == [_plain(turn.text) for turn in turns] else []


def _plain(text: str) -> str:
    return " ".join(text.split())


def _goes_on(side: Sequence[Turn], prompt: Sequence[Turn]) -> bool:
    return len(side) > len(prompt) and list(side[: len(prompt)]) == list(prompt)


def _shared(sides: Sequence[Sequence[Turn]]) -> int:
    """How many leading turns conversations share, as TRL counts them: at least one of each is left."""
    shared = 0
    for turns in zip(*sides, strict=False):
        if any(turn != turns[0] for turn in turns):
            return shared
        shared += 1
    return shared - 1
