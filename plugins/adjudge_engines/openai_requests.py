"""One completion that is asked of an endpoint, as the body of either API: chat completions, which everybody has, and OpenAI's responses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from adjudge import ConfigError, Message, escape_special_tokens

from .chat_template import folded
from .openai_options import OpenAiEngine

MARKUP = re.compile(r"<(?=[|｜][^|｜<>\n]{1,40}[|｜]>|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")
"""Where the chat markup of well-known models begins; an endpoint would take it for its own."""
SEEDS = 2**31
"""Seeds below this number are taken by every server."""
MOST_STOPS = 4
"""Strings at which OpenAI's API ends a completion; other servers take more."""
SHAPES = ("top_k", "min_p", "typical_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias")
"""Further settings that shape the distribution that is sampled from."""
HARMLESS = {"system": "Answer in one word.", "user": "Reply with the word yes.", "assistant": "Yes."}
"""What is asked to find out whether anything is answered at all, by the role of a turn."""


@dataclass(frozen=True, slots=True)
class Chat:
    """One completion that is asked for."""

    turns: list[Message]
    seed: int
    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None
    """Likeliest tokens to be listed at every place; None = none."""
    more: dict[str, Any] = field(default_factory=dict)
    """Sent besides, to this server alone."""

    @property
    def has_system(self) -> bool:
        return any(turn["role"] == "system" for turn in self.turns)

    def folded(self) -> Chat:
        """The same without a system turn."""
        return replace(self, turns=folded(self.turns))

    def harmless(self) -> Chat:
        """The same call about nothing, with turns of the same roles."""
        return replace(self, turns=[{"role": turn["role"], "content": HARMLESS.get(turn["role"], "Yes.")} for turn in self.turns])


def chats(
    options: OpenAiEngine, prompts: Sequence[list[Message]], *, seeds: Sequence[int], tokenizer: Any = None,
    more: dict[str, Any] | None = None, **settings: Any,
) -> list[Chat]:  # fmt: skip
    """The completions of one call of `sample`. Raises `ConfigError` for more `stop` strings than OpenAI takes."""
    stop = settings.pop("stop", ())
    if len(stop) > MOST_STOPS and str(urlsplit(options.base_url).hostname).endswith((".openai.com", ".azure.com")):
        raise ConfigError(
            f"judge.stop: {options.base_url} ends a completion at {MOST_STOPS} strings at most, and there are {len(stop)}.\n"
            "  Remedy: name fewer, or write engine.leave_out: [stop]; what comes is then cut after the first of them."
        )
    return [
        Chat(_escaped(prompt, tokenizer), seed % SEEDS, stop=tuple(stop), more=more or {}, **settings)
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]


def body_of(options: OpenAiEngine, chat: Chat) -> dict[str, Any]:
    """What is sent, as the arguments of OpenAI's client."""
    body = _chat_body(options, chat) if options.api == "chat" else _responses_body(options, chat)
    extra = {**chat.more, **options.extra}
    listed = {} if chat.top_logprobs is None else {"top_logprobs": chat.top_logprobs}
    return {name: value for name, value in body.items() if name not in options.leave_out} | listed | {"extra_body": extra}


def json_of(options: OpenAiEngine, chat: Chat) -> dict[str, Any]:
    """The same as the JSON that goes over the line, with the model's name."""
    body = body_of(options, chat)
    return {"model": options.model, **body.pop("extra_body"), **body}


def shaped(options: OpenAiEngine, chat: Chat) -> bool:
    """Whether what is sampled from differs from the model's own distribution at all."""
    return (chat.temperature, chat.top_p) != (1.0, 1.0) or any(name in options.extra for name in SHAPES)


def _chat_body(options: OpenAiEngine, chat: Chat) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": chat.turns, "n": 1, "seed": chat.seed, "temperature": chat.temperature, "top_p": chat.top_p,
        options.limit: chat.max_new_tokens,
    }  # fmt: skip
    if chat.stop:
        body["stop"] = list(chat.stop)
    return {**body, "logprobs": True} if options.logprobs else body


def _responses_body(options: OpenAiEngine, chat: Chat) -> dict[str, Any]:
    """This API knows neither seeds nor strings to stop at, and keeps what it was asked unless told otherwise."""
    said = "\n\n".join(turn["content"] for turn in chat.turns if turn["role"] == "system")
    body: dict[str, Any] = {
        "input": [turn for turn in chat.turns if turn["role"] != "system"], "temperature": chat.temperature, "top_p": chat.top_p,
        "max_output_tokens": chat.max_new_tokens, "store": False,
    }  # fmt: skip
    if said:
        body["instructions"] = said
    return {**body, "include": ["message.output_text.logprobs"]} if options.logprobs else body


def _escaped(prompt: list[Message], tokenizer: Any) -> list[Message]:
    """The prompt without chat markup in its texts: the model's own special tokens, or without a tokenizer those of known models."""
    if tokenizer is not None:
        return escape_special_tokens(prompt, tokenizer)
    return [{**turn, "content": MARKUP.sub(lambda found: found[0] + " ", turn["content"])} for turn in prompt]
