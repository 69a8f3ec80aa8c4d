"""Where a judge's thinking ends, however it is marked: a verdict stands after it, and nowhere in thinking that was begun and not ended.

Known are the marks of most reasoning models: ``<think>`` and its relatives, ``[THINK]``, ``<seed:think>``, ``<|begin_of_thought|>``,
``◁think▷``, and the channels of gpt-oss (harmony), with the words that are left of these where special tokens are not shown.
A mark with another name is known from the chat template: `opened_by` reads what the template itself writes before the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adjudge import Message

_THINK = r"(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reasoning|scratchpad|(?:inner|internal)[ _]monologue)"
_OPENING = re.compile(
    rf"<(?:{_THINK})>|<\|(?:(?:begin|start)_(?:of_)?)?(?:{_THINK})\|>|\[(?:THINK|THINKING|THOUGHT)\]|◁think▷|<unused94>"
    r"|<\|channel\|?>(?:analysis|commentary|thought)\b|<\|(?:assistant_)?START_THINKING\|>",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"</(?:{_THINK})>|<\|(?:/|end_(?:of_)?)(?:{_THINK})\|>|\[/(?:THINK|THINKING|THOUGHT)\]|◁/think▷|<unused95>"
    r"|<\|channel\|>final(?: [^\n]{0,40}?)?<\|message\|>|<channel\|>",
    re.IGNORECASE,
)
_CHANNELS = re.compile(r"analysis(?=[A-Z\"'\\]).*?assistantfinal(?![a-z])|analysis(?=[A-Z\"'\\]).*\Z", re.DOTALL)
"""Harmony's channels where the marks, special tokens, are not shown: ``analysisMaybe …assistantfinalThe first …``."""
_BEFORE = r"(?:<\|[\w|]{1,40}\|?>(?:assistant|model)?\s*)*"
_BEGINNING = re.compile(rf"\s*{_BEFORE}")
_BY_TEMPLATE = "<template:think>"
"""What `opened_by` puts before a mark with an unknown name; no model writes it."""
_CLOSED_BY = {"<unused94>": "<unused95>", "◁think▷": "◁/think▷"}
_PARTS = ("<|channel|>", "<|message|>", "<|channel>", "<channel|>")
"""Tokens that a mark of several tokens is made of."""
_TAG = re.compile(r"<\|?(?!/)[\w:.-]{1,40}\|?>|\[(?!/)[A-Za-z][\w:.-]{1,40}\]|◁\w{1,40}▷")


def is_thinking_mark(token: str) -> bool:
    """Whether a token says where thinking begins or ends, or is part of what does, so that a text cannot be read without it."""
    return bool(_OPENING.fullmatch(token) or _CLOSING.fullmatch(token)) or token in _PARTS


def end_of_thinking(text: str) -> int:
    """Where a verdict may stand: after the thinking; nowhere when it was begun and not ended; anywhere in a text that has none."""
    if dumped := _CHANNELS.match(text.lstrip()):
        return len(text) - len(text.lstrip()) + dumped.end()
    end = _last_end(text)
    return len(text) if _begun(text, end) is not None else end


def closing_mark(text: str) -> str:
    """The mark that ends the thinking which a text has begun and not ended; nothing where none is open."""
    end = _last_end(text)
    if (opening := _begun(text, end)) is None:
        return ""
    mark = (None if end else _named_by_template(text)) or opening
    if mark in _CLOSED_BY:
        return _CLOSED_BY[mark]
    if "channel" in mark:
        return "<|end|><|start|>assistant<|channel|>final<|message|>" if mark.startswith("<|channel|>") else "<channel|>"
    left, name, right = re.fullmatch(r"(\W+)(.*?)(\W+)", mark, re.DOTALL).groups()  # type: ignore[union-attr]
    begins = re.match(r"(?:(assistant)_)?(?:begin|start)_", name, re.IGNORECASE)
    ended = f"/{name}" if begins is None else re.sub(r"begin|start", lambda one: "END" if one[0].isupper() else "end", name, flags=re.I)
    return f"{left}{ended}{right}"


def _last_end(text: str) -> int:
    """Where the last thinking ends that the text has ended; 0 where there is none."""
    named = _named_by_template(text)
    closing = _CLOSING if named is None else re.compile(f"{_CLOSING.pattern}|{_closing_of(named)}", re.IGNORECASE)
    return max((found.end() for found in closing.finditer(text) if not _mentioned(text, found)), default=0)


def _begun(text: str, start: int) -> str | None:
    """The mark by which thinking begins behind `start` and is not ended: at the text's beginning, or on a line of its own further down."""
    marks = (
        found[0]
        for found in _OPENING.finditer(text, start)
        if not _mentioned(text, found) and (not text[start : found.start()].strip() or _starts_line(text, found.start()))
    )
    return next(marks, None)


def _starts_line(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return _BEGINNING.fullmatch(line) is not None


def _mentioned(text: str, found: re.Match[str]) -> bool:
    """Whether a mark is only spoken of: it stands in quotation marks or as code."""
    around = text[found.start() - 1 : found.start()] + text[found.end() : found.end() + 1]
    return around in ("``", '""', "''", "“”", "‘’", "«»")


# What a chat template writes -----------------------------------------------------------------------------------------------


def opened_by(render: Callable[[Sequence[Message], bool], str]) -> str:
    """The beginning of thinking that a chat template writes itself before the answer; nothing where it writes none.

    `render` makes a chat's text, with or without the header of the answer that is asked for. What stands after the header, which earlier
    answers have too, and looks like an opening mark that is not closed again is the beginning of thinking, whatever its name.
    """
    asked: list[Message] = [{"role": "user", "content": "QUESTION"}]
    try:
        tail = render(asked, True).rpartition("QUESTION")[2]
    except Exception:  # a template raises what it likes, for instance of jinja's own
        return ""
    try:
        earlier = render([*asked, {"role": "assistant", "content": "ANSWER"}, {"role": "user", "content": "MORE"}], False)
    except Exception:
        earlier = ""
    header = earlier.partition("QUESTION")[2].partition("ANSWER")[0]
    written = tail[len(header) :] if tail.startswith(header) else tail
    known = _OPENING.search(written) is not None
    if not known and (not tail.startswith(header) or "ANSWER" not in earlier or not _TAG.match(written.strip())):
        return ""
    opening = _OPENING.search(written) if known else _TAG.search(written)
    assert opening is not None
    opened = written[opening.start() :]
    if _CLOSING.search(opened) or re.search(_closing_of(opening[0]), opened):
        return ""
    return opened if known else f"{_BY_TEMPLATE}{opened}"


def opened_by_template(tokenizer: Any, arguments: Mapping[str, Any] | None = None) -> str:
    """The beginning of thinking that a tokenizer's chat template writes itself before the answer; nothing where it writes none.

    `arguments` are those that the template is given beside the chat.
    """
    if getattr(tokenizer, "chat_template", None) is None:
        return ""

    def render(chat: Sequence[Message], ask: bool) -> str:
        return str(tokenizer.apply_chat_template(list(chat), add_generation_prompt=ask, tokenize=False, **(arguments or {})))

    return opened_by(render)


def _named_by_template(text: str) -> str | None:
    """The mark that a template wrote under a name of its own: `opened_by` puts a known one before it."""
    found = _TAG.match(text, len(_BY_TEMPLATE)) if text.startswith(_BY_TEMPLATE) else None
    return found[0] if found else None


def _closing_of(opening: str) -> str:
    """A pattern of what closes a mark: ``</x>`` for ``<x>``, ``[/X]`` for ``[X]``, ``<|end_of_x|>`` and others for ``<|x|>``."""
    left, name, right = re.fullmatch(r"(\W+)(.*?)(\W+)", opening, re.DOTALL).groups()  # type: ignore[union-attr]
    bare = re.sub(r"^(?:begin|start)_(?:of_)?", "", name, flags=re.IGNORECASE)
    names = (f"/{name}", f"/{bare}", f"end_of_{bare}", f"end_{bare}", f"{bare}_end")
    return "|".join(re.escape(f"{left}{one}{right}") for one in names)
