"""What a refusal of an endpoint is about, by what it says and not by when it comes: the prompt, the account, a setting, the busy hour.

A body: ``{"error": {"message": "This model's maximum context length is 4096 tokens …", "code": "context_length_exceeded"}}``
Codes are the server's own. A message may repeat what it was asked, so where its words alone speak, a second prompt decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .openai_wordings import (
    ACCOUNT_CODES,
    FILTERED,
    MODEL_CODES,
    NO_SYSTEM,
    PENNILESS,
    PROMPT_CODES,
    SETTING_CODES,
    SETTINGS,
    SLOW_DOWN,
    TOO_LONG,
    UNKNOWN_OPTION,
)


class About(Enum):
    """What a refusal is about."""

    PROMPT = "this prompt"
    ACCOUNT = "the account or its key"
    MODEL = "the model or the address"
    SETTING = "a setting of the call"
    BUSY = "how busy the endpoint is"
    UNSURE = "cannot be told"


BUSY = (408, 409, 425, 429)
"""Statuses besides 500 and above after which asking again later may help."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint answered in place of a completion."""

    status: int
    codes: frozenset[str]
    """Codes, types and reasons that it names, in small letters."""
    params: frozenset[str]
    """The options that it names, such as ``temperature``."""
    words: str
    """Its message, with those that it passes on from elsewhere."""
    told: str
    """What it gives as its reason, for people."""


def read_refusal(status: int, body: str) -> Refusal:
    """The refusal in any body."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(status, frozenset(), frozenset(), body[:2000], body)
    found = list(_said(data, 0))
    words = [value for name, value in found if name == "words"]
    message = words[0] if words else body
    code = _own_code(data)
    return Refusal(
        status,
        codes=frozenset(value.lower() for name, value in found if name == "code"),
        params=frozenset(re.split(r"[.\[]", value)[0] for name, value in found if name == "param"),
        words=" ".join(words),
        told=f"{message} ({code})" if code else message,
    )


def about(refusal: Refusal) -> About:
    """What a refusal is about; `UNSURE` where it says nothing that is known."""
    status, codes = refusal.status, refusal.codes
    if codes & PROMPT_CODES or (status == 413 and not codes & ACCOUNT_CODES):
        return About.PROMPT
    if status in BUSY or status >= 500:
        return _while_busy(refusal)
    if status == 403 and _by_words(refusal) is About.PROMPT:  # of a moderator before the model, as OpenRouter and xAI have one
        return About.PROMPT
    if status in (401, 402) or codes & ACCOUNT_CODES:
        return About.ACCOUNT
    return About.MODEL if status == 404 or codes & MODEL_CODES else _by_words(refusal)


def _by_words(refusal: Refusal) -> About:
    words = refusal.words
    if PENNILESS.search(words):  # an account may be closed for what its prompts were
        return About.UNSURE
    if TOO_LONG.search(words) or FILTERED.search(words):
        return About.PROMPT
    if refusal.codes & SETTING_CODES or refusal.params & SETTINGS or UNKNOWN_OPTION.search(words):
        return About.SETTING
    return About.BUSY if SLOW_DOWN.search(words) else About.UNSURE


def lacks_money(refusal: Refusal) -> bool:
    """Whether it speaks of an account or a key, whatever its status."""
    return bool(refusal.status in (401, 402) or refusal.codes & ACCOUNT_CODES or PENNILESS.search(refusal.words))


def refuses_system(refusal: Refusal) -> bool:
    """Whether it refuses a system turn; a chat template's own error may come with any status."""
    return refusal.status not in (401, 402, 403, 404, 429) and bool(NO_SYSTEM.search(refusal.words))


def remedy_for_setting(refusal: Refusal) -> str:
    """How to leave out what is refused, where it is named."""
    named = {name for name in SETTINGS if name in refusal.params or re.search(rf"(?<![\w.]){name}(?![\w.])", refusal.words)}
    if "max_tokens" in named and "max_completion_tokens" in refusal.words:
        return "write engine.limit: max_completion_tokens"
    if "top_logprobs" in named:
        return "lower judge.top_logprobs, for some endpoints list fewer; a judge that reads none needs engine.logprobs: false"
    if "logprobs" in named:
        return "write engine.logprobs: false"
    if found := sorted(named & {"seed", "temperature", "top_p", "n", "stop"}):
        return f"write engine.leave_out: [{found[-1]}]"
    return "where it does not take an option, see engine.logprobs, engine.limit, engine.leave_out and engine.extra; else the prompt"


def _while_busy(refusal: Refusal) -> About:
    """What comes with the statuses of a busy hour: an empty account, a prompt beyond the limit of a minute, or a template's own error."""
    codes, words = refusal.codes, refusal.words
    if codes & {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}:
        return About.ACCOUNT
    passing = SLOW_DOWN.search(words) and "perday" not in words.lower().replace(" ", "")
    if refusal.status == 429 and PENNILESS.search(words) and not passing and "resource_exhausted" not in codes:
        return About.UNSURE
    too_long = TOO_LONG.search(words) if refusal.status >= 500 else re.search("request too large", words, re.IGNORECASE)
    return About.PROMPT if too_long else About.BUSY


def _own_code(data: Any) -> str | None:
    """The code beside the first message, where it is a word."""
    inner = data[0] if isinstance(data, list) and data else data
    inner = inner.get("error", inner) if isinstance(inner, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    return code if isinstance(code, str) and not code.isdigit() else None


def _said(data: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Codes and words of an error in any of the shapes that servers give it; what it repeats of its input is passed over."""
    if depth > 6:
        return
    if isinstance(data, list):
        for item in data[:20]:
            yield from _said(item, depth + 1)
    if not isinstance(data, dict):
        return
    for name in ("message", "msg", "detail", "error", "raw", "title"):
        if isinstance(value := data.get(name), str) and value:
            yield from _passed_on(value, depth) if name == "raw" else [("words", value)]
    for name in ("code", "type", "status", "reason", "error_type", "param"):
        if isinstance(value := data.get(name), str) and value:
            yield "code" if name != "param" else "param", value
    for name in ("error", "errors", "detail", "details", "innererror", "metadata", "message"):
        if isinstance(data.get(name), dict | list):
            yield from _said(data[name], depth + 1)


def _passed_on(text: str, depth: int) -> Iterator[tuple[str, str]]:
    """What a gateway quotes of the server behind it, often JSON in a text."""
    try:
        yield from _said(json.loads(text), depth + 1)
    except (ValueError, RecursionError):
        yield "words", text
