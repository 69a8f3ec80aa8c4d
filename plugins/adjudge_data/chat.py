"""Conversations as texts: messages of OpenAI's and ShareGPT's forms and hh-rlhf's plain dialogues, read into turns and shown to a judge.

{"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 37, "b": 48}}}]}

What a text cannot show, such as an image, is refused with the reason and never dropped. This is the only place that renders a conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .row_errors import RowError

SPEAKERS = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant", "model": "assistant",
    "system": "system", "tool": "tool", "observation": "tool", "function": "tool", "function_response": "tool",
    "function_call": "assistant",
}  # fmt: skip
"""Who speaks, in ShareGPT's words."""
UNSHOWN = ("reasoning_content", "reasoning", "thinking", "refusal", "audio", "image", "images", "video", "videos")
"""Fields of a message that belong to what was said and that its text does not hold."""
SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says at a time."""

    role: str
    text: str


def turns_in(value: Any, name: str, *, whole: bool = True) -> list[Turn]:
    """The turns of a list of messages, or of one message; `name` is the field that a `RowError` names.

    With `whole`, what was said besides the text, such as reasoning of its own field, is refused; else it is not looked at.
    """
    messages = [value] if isinstance(value, Mapping) else value
    if not isinstance(messages, list | tuple) or not messages:
        raise RowError(f"has no field {name!r} that is a text or a list of messages")
    return [_turn(message, name, UNSHOWN if whole else ()) for message in messages]


def shown(value: str | Sequence[Turn]) -> str:
    """A text as it is; of turns, a single one is its text, and a longer conversation names who speaks."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return value[0].text
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in value)


def conversation_text(value: Any, name: str = "messages") -> str:
    """A text, or messages, as a judge is shown them."""
    return value if isinstance(value, str) else shown(turns_in(value, name))


def dialogue_in(text: str) -> list[Turn] | None:
    """The turns of a plain dialogue, ``Human: … Assistant: …`` with an empty line before each; None for a text that is none."""
    text = text.lstrip()
    starts = list(SPEAKER.finditer(text))
    if len(starts) < 2 or starts[0].start() or starts[0][1] != "Human":
        return None
    ends = [*(start.start() for start in starts[1:]), len(text)]
    said = [(start[1], text[start.end() : end]) for start, end in zip(starts, ends, strict=True)]
    return [Turn(SPEAKERS.get(who.lower(), "assistant"), words.removeprefix(" ")) for who, words in said]


def _turn(message: Any, name: str, refused: Sequence[str]) -> Turn:
    if not isinstance(message, Mapping):
        raise _unread(name)
    for field in refused:
        if message.get(field):
            raise RowError(
                f"has a message in {name!r} with {field!r}, which a judge of texts is not shown; put it into the content, or take it out"
            )
    role, content = _said(message, name)
    calls = _calls(message, name)
    if content is None and not calls:
        raise _unread(name)
    return Turn(role, "\n\n".join([*([content] if content else []), *calls]))


def _said(message: Mapping[str, Any], name: str) -> tuple[str, str | None]:
    if isinstance(message.get("role"), str):
        return message["role"], _content(message.get("content"), name)
    if isinstance(who := message.get("from"), str) and isinstance(message.get("value"), str):
        if who.lower() not in SPEAKERS:
            raise RowError(f"has a message in {name!r} from {who!r}, which is none of {', '.join(SPEAKERS)}")
        return SPEAKERS[who.lower()], message["value"]
    raise _unread(name)


def _content(content: Any, name: str) -> str | None:
    """A content's text, its parts one after the other, as chat templates write them."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise _unread(name)
    return "".join(_part(part, name) for part in content)


def _part(part: Any, name: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    if kind not in ("text", "input_text", "output_text") or not isinstance(part.get("text"), str):
        raise RowError(f"has a message in {name!r} with a content part of the type {kind!r}; a judge of texts is shown texts alone")
    return str(part["text"])


def _calls(message: Mapping[str, Any], name: str) -> list[str]:
    """The calls of tools that a message makes, each as a line of text."""
    calls = message.get("tool_calls") or []
    if message.get("function_call"):
        calls = [*calls, message["function_call"]]
    if not isinstance(calls, list | tuple):
        raise RowError(f"has a message in {name!r} whose 'tool_calls' are no list")
    return [_call(call, name) for call in calls]


def _call(call: Any, name: str) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise RowError(f"has a message in {name!r} with a tool call without a function's name")
    arguments = function.get("arguments")
    return f"Tool call: {function['name']}({arguments if isinstance(arguments, str) else as_json(arguments or {})})"


def as_json(value: Any) -> str:
    """A value as JSON on one line, for a text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _unread(name: str) -> RowError:
    return RowError(f"has a message in {name!r} without the texts 'role' and 'content' (or 'from' and 'value')")
