"""Where a completion ends that is to end at one of several strings: the string stays in its text, whatever a server makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adjudge import Completion

from .openai_content import CLOSE, OPEN

NAMES = ("stop_reason", "stopping_word", "matched_stop", "stop_sequence")
"""Where servers name the string that ended an answer: vLLM, llama.cpp, SGLang, Anthropic."""


def with_stop(text: str, stops: Sequence[str], choice: dict[str, Any]) -> str:
    """The text with the string that ended it, which most servers leave out and some name."""
    named = next((value for name in NAMES if isinstance(value := choice.get(name), str) and value in stops), None)
    if named is None and choice.get("finish_reason") == "stop_sequence" and len(stops) == 1:
        [named] = stops
    if named is None or end_of(text, stops) is not None:
        return text
    return text + named


def end_of(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of these strings ends in what is said after the thinking; None where none of them stands there."""
    start = text.rfind(CLOSE) + len(CLOSE) if CLOSE in text else 0
    ends = [at + len(stop) for stop in stops if stop and (at := text.find(stop, start)) >= 0]
    return min(ends, default=None)


def cut_at(completion: Completion, stops: Sequence[str]) -> Completion:
    """The completion up to and with the first of these strings: it is whole where it has one, although the server went on behind it.

    Thinking that never ended is no verdict whatever stands in it, and stays as it is.
    """
    thinks = completion.text.lstrip().startswith(OPEN) and CLOSE not in completion.text
    end = None if thinks else end_of(completion.text, stops)
    if completion.error is not None or end is None or (end == len(completion.text) and not completion.truncated):
        return completion
    count = next((place + 1 for place, at in enumerate(completion.token_ends) if at >= end), len(completion.token_ends))
    return replace(
        completion,
        text=completion.text[:end],
        token_ids=completion.token_ids[:count],
        token_ends=tuple(min(at, end) for at in completion.token_ends[:count]),
        logprobs=None if completion.logprobs is None else completion.logprobs[:count],
        truncated=False,
    )
