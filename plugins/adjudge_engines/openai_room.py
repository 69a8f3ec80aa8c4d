"""How many new tokens an endpoint has room for, where its refusal says so: a judge may ask for more than a model's context holds."""

from __future__ import annotations

import re

AT_LEAST = re.compile(r"your (?:prompt|request) (?:contains|has) (?:at least \d+ input tokens|\d+ characters)")
"""vLLM counts a prompt no further than it needs to refuse it, and then says no more than this."""
NUMBER = r"[`'\"]?(\d+)[`'\"]?"
CONTEXT_AND_PROMPT = (
    rf"context length is {NUMBER} tokens\. However, you requested \d+ tokens \({NUMBER} (?:in|of)",
    rf"context length is (?:only )?{NUMBER} tokens and your (?:request|prompt) (?:has|contains) {NUMBER} input tokens",
    rf"context length is {NUMBER} tokens\. However, your request has {NUMBER} input tokens plus \d+",
    rf"context length is {NUMBER} tokens\. However, you requested \d+ output tokens and your prompt contains {NUMBER} input tokens",
    rf"must be <= {NUMBER}\. Given: {NUMBER} `?inputs`? tokens",
)
"""The context and the prompt, in tokens: OpenAI and vLLM before 0.9, vLLM, TGI."""
PROMPT_AND_CONTEXT = (
    rf"You passed {NUMBER} input tokens and requested \d+ output tokens\. However, the model's context length is only {NUMBER}",
    rf"input length and `?max_tokens`? exceed context limit: {NUMBER} \+ \d+ > {NUMBER}",
    rf"prompt of {NUMBER} tokens .{{0,80}}context (?:length|window) of {NUMBER}",
)
MOST = (
    rf"max_tokens=\d+ cannot be greater than max_model_len={NUMBER}",
    rf"supports at most {NUMBER} completion tokens",
    rf"max_tokens: \d+ > {NUMBER}, which is the maximum",
    rf"valid range of max_tokens is \[\d+, ?{NUMBER}\]",
    rf"`?max_(?:completion_)?tokens`? must be less than or equal to {NUMBER}",
)
"""The most new tokens that a model writes at all: vLLM, which looks at the prompt after this, OpenAI, Anthropic, DeepSeek, Groq."""


def room_left(words: str, asked: int) -> int | None:
    """New tokens that fit behind the prompt, fewer than were asked for; None where the refusal does not say, or none fit.

    Half of what was asked for where it only says that this is too much.
    """
    room = asked // 2 if AT_LEAST.search(words) else None
    for pattern in CONTEXT_AND_PROMPT:
        if found := re.search(pattern, words):
            room = int(found[1]) - int(found[2])
    for pattern in PROMPT_AND_CONTEXT:
        if found := re.search(pattern, words):
            room = int(found[2]) - int(found[1])
    for pattern in MOST:
        if found := re.search(pattern, words):
            room = int(found[1])
    return room if room is not None and 0 < room < asked else None
