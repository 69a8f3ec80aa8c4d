"""Reads an endpoint's answer with the likeliest tokens that it lists at every place of it (`top_logprobs`)."""

from __future__ import annotations

import math
from typing import Any

from adjudge_judges import Listed

from .openai_responses import Refused, only_choice, read_answer


class NotListed(Refused):
    """The endpoint lists no likely tokens, so it never will."""


def read_listed(body: str) -> Listed:
    """The answer token by token. Raises `NotListed` where fewer than two tokens are listed for each, and `Fault` as `read_answer` does."""
    whole = read_answer(body)
    if whole.error is not None:
        return Listed(error=whole.error)
    told = only_choice(body).get("logprobs")
    rows = told.get("content") if isinstance(told, dict) else None
    found = [(str(row["token"]), _likely(row)) for row in rows or () if isinstance(row, dict) and isinstance(row.get("token"), str)]
    if whole.text and not any(len(likely) > 1 for _, likely in found):
        raise NotListed("lists no likely tokens beside those of its answers (top_logprobs)")
    return Listed(whole.text, tuple(found))


def _likely(row: dict[str, Any]) -> dict[str, float]:
    """Log-probabilities in nats by what each token writes, the sampled one among them; tokens that write the same are added up."""
    listed = row.get("top_logprobs")
    rows = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    if not any(one.get("token") == row["token"] for one in rows):
        rows.append(row)
    found: dict[str, float] = {}
    for one in rows:
        value, token = one.get("logprob"), one.get("token")
        if isinstance(token, str) and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[token] = float(value) if token not in found else math.log(math.exp(found[token]) + math.exp(value))
    return found
