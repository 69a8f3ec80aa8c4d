"""How a model's chat template is asked: one of the user's own, arguments that always hold, and system turns where it has none.

Both are put into the template itself, so that everybody who has the tokenizer renders the same: engines, trainers, and vLLM's server
once the tokenizer is saved.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from adjudge import ConfigError, Json

if TYPE_CHECKING:
    from adjudge import Message

log = logging.getLogger("adjudge.engines")
PROBE = "seven grey herons"
OURS = ("messages", "add_generation_prompt", "continue_final_message", "tools", "documents")
"""Variables of a template that are no options."""
_told: WeakSet[Any] = WeakSet()
"""Tokenizers of which it has been said that they have no system turn."""


def set_chat_template(tokenizer: Any, template: str | None, arguments: Mapping[str, Json]) -> None:
    """Give a tokenizer this template, a text or a file's name, and set these arguments at its beginning.

    Raises `ConfigError` for a file that is not there, and for an argument that the template does not have.
    """
    if template is None and not arguments:
        return
    if template is not None:
        tokenizer.chat_template = _text_of(template)
    if arguments:
        _set_arguments(tokenizer, arguments)
    _try_out(tokenizer)


def _try_out(tokenizer: Any) -> None:
    """Raise `ConfigError` for a template that cannot be read, or that does not show what it is asked."""
    from jinja2 import TemplateError

    try:
        shown = tokenizer.apply_chat_template([{"role": "user", "content": PROBE}], add_generation_prompt=True, tokenize=False)
    except (TemplateError, TypeError, ValueError) as error:
        raise ConfigError(f"engine.chat_template: it cannot be used: {error}\n  Remedy: mend the template or its arguments.") from None
    if PROBE not in shown:
        raise ConfigError("engine.chat_template: it does not show what a user says.\n  Remedy: mend the template or its arguments.")


def _set_arguments(tokenizer: Any, arguments: Mapping[str, Json]) -> None:
    if tokenizer.chat_template is None:
        raise ConfigError("engine.chat_template_kwargs: the model has no chat template.\n  Remedy: write one as engine.chat_template.")
    text = tokenizer.get_chat_template()
    for name in arguments:
        if name in OURS:
            raise ConfigError(f"engine.chat_template_kwargs: {name!r} is set by whoever asks.\n  Remedy: leave it out.")
        if not name.isidentifier() or not re.search(rf"\b{name}\b", text):
            raise ConfigError(
                f"engine.chat_template_kwargs: the model's chat template has no argument {name!r}.\n"
                "  Remedy: leave it out, or see the names in the template (chat_template.jinja, or tokenizer_config.json)."
            )
    head = "".join(f"{{%- set {name} = {_jinja(value)} %}}" for name, value in arguments.items())
    tokenizer.chat_template = text if text.startswith(head) else head + text  # a model that was trained so has them already


def template_of(engine: Any) -> dict[str, str]:
    """The content of an engine's own chat template, for its fingerprint; nothing where it has none."""
    return {} if engine.chat_template is None else {"chat_template": _text_of(engine.chat_template)}


def _text_of(template: str) -> str:
    if "{{" in template or "{%" in template:
        return template
    try:
        return FilePath(template).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"engine.chat_template: {template!r} cannot be read: {error}.\n  Remedy: name a file, or write the template itself."
        ) from None


def _jinja(value: Json) -> str:
    """A JSON value in Jinja's words, in which only *nothing* is another one."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_jinja(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jinja, value)) + "]"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def with_system_turns_folded(messages: Sequence[Message], tokenizer: Any) -> list[Message]:
    """The chat, its system turn put before the user's first words where the model's template refuses one or leaves it out."""
    if not messages or messages[0]["role"] != "system" or tokenizer.chat_template is None:
        return list(messages)
    if takes_system(tokenizer):
        return list(messages)
    if tokenizer not in _told:
        _told.add(tokenizer)
        log.warning("the model's chat template has no system turn; the judge's instructions stand at the head of the user's turn")
    return folded(messages)


def folded(messages: Sequence[Message]) -> list[Message]:
    """The chat with what its system turns say at the head of the user's first turn."""
    said = [turn["content"] for turn in messages if turn["role"] == "system"]
    others: list[Message] = [turn for turn in messages if turn["role"] != "system"]
    if not said:
        return list(messages)
    if not others or others[0]["role"] != "user":
        others.insert(0, {"role": "user", "content": ""})
    return [{"role": "user", "content": "\n\n".join(text for text in (*said, others[0]["content"]) if text)}, *others[1:]]


def takes_system(tokenizer: Any) -> bool:
    """Whether a system turn's words reach the model."""
    return _takes_system(tokenizer, tokenizer.get_chat_template())


@lru_cache(maxsize=16)
def _takes_system(tokenizer: Any, template: str) -> bool:
    from jinja2 import TemplateError

    chat = [{"role": "system", "content": PROBE}, {"role": "user", "content": "."}]
    try:
        return PROBE in tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    except TemplateError:
        return False
