"""Prompts and completions as RL frameworks hand them over, texts or messages, as the texts that a judge is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from adjudge import DataError, RowError
from adjudge_data import Turn, shown, turns_in

Said: TypeAlias = str | Sequence[Mapping[str, Any]]
"""A text, or messages with the texts ``role`` and ``content``."""


def said(prompts: Iterable[Said], completions: Iterable[Said]) -> list[tuple[str, str]]:
    """Every prompt as a text, with the text of its completion."""
    asked, answered = list(prompts), list(completions)
    if len(asked) != len(answered):
        raise DataError(
            f"there are {len(asked)} prompts and {len(answered)} completions.\n  Remedy: repeat a prompt for each of its completions."
        )
    return [
        (prompt_text(one, f"prompt {number}"), answer_text(other, f"completion {number}"))
        for number, (one, other) in enumerate(zip(asked, answered, strict=True), 1)
    ]


def prompt_text(prompt: Said, where: str) -> str:
    """A single message is its content; a longer conversation names who speaks, as in data sets of preferences."""
    return prompt if isinstance(prompt, str) else shown(_turns(prompt, where))


def answer_text(completion: Said, where: str) -> str:
    """What the last assistant message of a completion says."""
    if isinstance(completion, str):
        return completion
    found = [turn.text for turn in _turns(completion, where) if turn.role == "assistant"]
    if not found:
        raise DataError(f"{where} has no message of the role 'assistant'.\n  Remedy: give the answer as a text, or as such a message.")
    return found[-1]


def _turns(messages: Any, where: str) -> list[Turn]:
    try:
        return turns_in(messages, "messages", whole=False)
    except RowError as error:
        raise DataError(
            f"{where} is neither a text nor a list of messages that can be shown: it {error}.\n"
            '  Remedy: give a text, or messages such as [{"role": "user", "content": "37+48"}].'
        ) from None
