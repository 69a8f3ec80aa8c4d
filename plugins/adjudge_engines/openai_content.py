"""One text from an answer's message: thinking between ``<think>`` marks, as parsers of judges know it, and what is said after it.

Content is a text, or a list of chunks as Mistral's reasoning models send it:
``[{"type": "thinking", "thinking": [{"type": "text", "text": "carry 1"}]}, {"type": "text", "text": "\\\\boxed{Assistant 1}"}]``
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CLOSES = re.compile(r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]|◁/think▷", re.IGNORECASE)
OPEN, CLOSE = "<think>", "</think>"
SAID = ("text", "output_text")
THOUGHT = ("thinking", "reasoning", "reasoning_content", "reasoning_text", "summary_text")
SILENT = ("reference", "image_url", "annotation")
"""Types of chunks that say nothing that a judge could have meant as its verdict."""


class Unreadable(Exception):
    """A message that is no text; says what it is."""


def joined(message: dict[str, Any], *, cut: bool, opened: bool = False) -> tuple[str, dict[int, int]]:
    """The text, and which of its bytes are marks that were set here. Raises `Unreadable`.

    A mark is left open where the answer was cut off within the thinking. `opened` tells that the prompt's template opens the thinking:
    a text without a closing mark is then all thinking.
    """
    parts = list(_parts(message))
    if not parts and not cut:
        raise Unreadable("message has no content")
    if opened and not any(thinks for thinks, _ in parts) and not any(CLOSES.search(text) for _, text in parts):
        text = "".join(text for _, text in parts)
        return (text, {}) if text.lstrip().startswith(OPEN) else (OPEN + text, {0: len(OPEN)})
    text, marks = "", dict[int, int]()
    for place, (thinks, said) in enumerate(parts):
        if not thinks:
            text += said
            continue
        marks[len(text.encode())] = len(text.encode()) + len(OPEN)
        text += OPEN + said
        if not cut or any(said for _, said in parts[place + 1 :]):
            marks[len(text.encode())] = len(text.encode()) + len(CLOSE)
            text += CLOSE
    return text, marks


def _parts(message: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Texts in order, each with whether it is thinking."""
    thinking = _text(message, "reasoning") or _text(message, "reasoning_content")
    if thinking:
        yield True, thinking
    content = message.get("content")
    if isinstance(content, list):
        yield from _together(content)
    elif (said := _text(message, "content")) is not None:
        yield False, said
    elif thinking is None and (refusal := _text(message, "refusal")) is not None:
        yield False, refusal


def _together(chunks: list[Any]) -> Iterator[tuple[bool, str]]:
    """The chunks of a list, those of one kind that follow each other as one."""
    waiting: tuple[bool, str] | None = None
    for thinks, text in (part for chunk in chunks for part in _chunk(chunk, False)):
        if waiting is not None and waiting[0] == thinks:
            waiting = thinks, waiting[1] + text
            continue
        if waiting is not None:
            yield waiting
        waiting = thinks, text
    if waiting is not None:
        yield waiting


def _chunk(chunk: Any, thinks: bool) -> Iterator[tuple[bool, str]]:
    if not isinstance(chunk, dict):
        raise Unreadable(f"content is a list with a {type(chunk).__name__} in it")
    kind = chunk.get("type")
    if kind in SILENT:
        return
    if (kind == "refusal" or kind in SAID) and (text := _text(chunk, "refusal" if kind == "refusal" else "text")) is not None:
        yield thinks, text
    elif kind in THOUGHT:
        inner = next((chunk[name] for name in (kind, "text", "content", "summary") if chunk.get(name) is not None), "")
        for part in inner if isinstance(inner, list) else [{"type": "text", "text": inner}]:
            yield from _chunk(part, True)
    else:
        raise Unreadable(f"content has a chunk of the type {str(kind)[:40]!r}, which is no text")


def _text(message: dict[str, Any], name: str) -> str | None:
    text = message.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise Unreadable(f"{name} is a {type(text).__name__}, not a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable(f"{name} has half a character") from None
    return text
