"""A judgement's text token by token, each with how likely the model found it: the heat map of a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

LEVELS = (0.99, 0.9, 0.7, 0.4, 0.1)
"""Probabilities at which a token becomes one level hotter, from 0 for the likely ones to 5."""


def heat(record: Mapping[str, Any]) -> list[tuple[str, int | None, float | None]]:
    """Pieces of the text, one for each token that writes something: text, level, probability; nothing without log-probabilities."""
    made = record["completion"]
    ends, logprobs = made.get("ends") or made.get("token_ends"), made.get("logprobs")
    return list(_pieces(str(made["text"]), ends, logprobs)) if ends and logprobs and len(ends) == len(logprobs) else []


def _pieces(text: str, ends: list[int], logprobs: list[float]) -> Iterator[tuple[str, int | None, float | None]]:
    """A token that writes nothing, as half of a character does, is shown with the one that completes it, as likely as both together."""
    cuts, pending = [0], 0.0
    known = list[float]()
    for end, logprob in zip(ends, logprobs, strict=True):
        pending += logprob
        if end > cuts[-1]:
            cuts.append(end)
            known.append(pending)
            pending = 0.0
    for (start, end), logprob in zip(pairwise(cuts), known, strict=True):
        probability = math.exp(min(0.0, logprob))
        yield text[start:end], sum(probability < level for level in LEVELS), probability
    if cuts[-1] < len(text):
        yield text[cuts[-1] :], None, None
