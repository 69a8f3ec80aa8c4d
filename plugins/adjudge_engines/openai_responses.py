"""Reads what an endpoint answered: any body is either a completion or a `Fault` that says what is wrong with it, never a guess.

A body: ``{"choices": [{"message": {"content": "... \\\\boxed{Assistant 1}"}, "finish_reason": "stop", "logprobs": null}]}``
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from adjudge import Completion

from .openai_content import CLOSE, OPEN, Unreadable, joined
from .openai_items import as_choice
from .openai_stops import cut_at, end_of, with_stop
from .texts import Texts

COMPLETE = ("stop", "eos", "eos_token", "stop_sequence", "end_turn")
CUT = ("length", "max_tokens", "model_length", "repetition")
"""How an answer ends that is not whole: at a limit, or stopped by the server for it went round in circles, as vLLM can be told to."""
FILTERED = ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "refusal", "guardrail_intervened", "sensitive")
"""How an answer ends that a filter stopped, which it would do again."""
UNKNOWN = -9999.0
"""What OpenAI and vLLM write for a log-probability that they do not tell."""


class Fault(Exception):
    """No answer, or one that cannot be used; asking again may help where `again` is true, after `wait` seconds at least."""

    def __init__(self, reason: str, *, again: bool = True, wait: float = 0.0) -> None:
        super().__init__(reason.encode(errors="replace").decode())  # half a character could not be written to a record
        self.again, self.wait = again, wait


class Refused(Fault):
    """The endpoint is well and will not answer this one prompt."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, again=False)


class OtherText(Fault):
    """The tokens of an answer write another text than its own: either one is damaged, or they were read by another model's tokenizer."""

    def __init__(self) -> None:
        super().__init__("the answer's tokens, read by engine.tokenizer, write another text than its own")


def read_answer(body: str, texts: Texts | None = None, *, stops: Sequence[str] = (), opened: bool = False) -> Completion:
    """The completion of either API; with `texts` in the model's own tokens where the endpoint tells them. Raises `Fault`.

    `stops` are the strings that it was to end with, and `opened` is whether the prompt's template opens the thinking.
    """
    choice = only_choice(body)
    ended = choice.get("finish_reason")
    if not isinstance(ended, str):
        raise Fault("the answer does not say how it ended")
    if ended.lower() in FILTERED:
        return Completion("", error="the endpoint's content filter stopped the answer")
    if ended.lower() not in (*COMPLETE, *CUT):
        raise Fault(f"the answer ended with {_short(ended)}, which is neither complete nor cut off{_why(choice)}")
    cut = ended.lower() in CUT
    text, marks = _joined(choice, cut=cut, opened=opened)
    text = with_stop(text, stops, choice)
    tokens = _tokens(choice)
    exact = None if texts is None else _exact(choice, text, tokens, texts, cut=cut, stops=stops, opened=opened)
    return cut_at(exact or _aligned(text, marks, tokens, cut=cut, stops=stops), stops)


def error_within(body: str) -> int | None:
    """The status of an error that came as if it were an answer, as gateways send those of others; None where there is none."""
    if '"error"' not in body[:2000]:
        return None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = data.get("error") if isinstance(data, dict) and not data.get("choices") and not data.get("output") else None
    if not isinstance(error, dict):
        return 502 if isinstance(error, str) and error else None
    told = [error.get("code"), error.get("status"), error.get("status_code")]
    return next((int(str(one)) for one in told if str(one).isdecimal() and 400 <= int(str(one)) < 600), 502)


def read_echo(body: str, start: int, count: int) -> list[float]:
    """Log-probabilities in nats of the `count` tokens of an echoed prompt that stand after its first `start`. Raises `Fault`."""
    told = only_choice(body).get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else None
    wanted = values[start : start + count] if isinstance(values, list) else []
    if len(wanted) != count or not all(map(_is_logprob, wanted)):
        raise Refused("it tells no log-probabilities of given tokens")
    return [float(value) for value in wanted]


def read_echoed_top(body: str, start: int, count: int) -> list[float]:
    """The largest log-probability that is listed for each of those places. Raises `Fault`."""
    told = only_choice(body).get("logprobs")
    listed = told.get("top_logprobs") if isinstance(told, dict) else None
    rows = listed[start : start + count] if isinstance(listed, list) else []
    found = [list(filter(_is_logprob, row.values())) if isinstance(row, dict) else [] for row in rows]
    if len(found) != count or not all(found):
        raise Refused("it lists no most probable tokens beside given ones")
    return [float(max(values)) for values in found]


def top_logprobs(body: str) -> dict[str, float]:
    """Log-probabilities in nats of the candidates for an answer's first token, by what they write. Raises `Refused` where none are told."""
    told = only_choice(body).get("logprobs")
    rows = told.get("content") if isinstance(told, dict) else None
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    listed = first.get("top_logprobs")
    found = {}
    for row in [*(listed if isinstance(listed, list) else []), first]:
        value = row.get("logprob") if isinstance(row, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value) and isinstance(row.get("token"), str):
            found[row["token"]] = float(value)
    if not found:
        raise Refused("it tells no log-probabilities of an answer's first token")
    return found


# The parts of a body --------------------------------------------------------------------------------------------------------


def only_choice(body: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Fault(f"the answer is not JSON: {_short(body)}") from None
    if isinstance(data, dict) and data.get("object") == "response":
        return as_choice(data)
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise Fault(f"the answer has no list of choices: {_short(body)}")
    if len(choices) != 1:
        raise Fault(f"the answer has {len(choices)} choices; one was asked for")
    chosen: dict[str, Any] = choices[0]
    return chosen


def _joined(choice: dict[str, Any], *, cut: bool, opened: bool) -> tuple[str, dict[int, int]]:
    """One text with the thinking between marks, and which of its bytes are marks that were set here."""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Fault("the answer has no message")
    try:
        return joined(message, cut=cut, opened=opened)
    except Unreadable as error:
        raise Fault(f"the answer's {error}") from None


def _why(choice: dict[str, Any]) -> str:
    """What a choice says of an error of its own."""
    error = choice.get("error")
    said = error.get("message") if isinstance(error, dict) else None
    return f": {_short(said)}" if isinstance(said, str) else ""


def _tokens(choice: dict[str, Any]) -> list[tuple[bytes, float]] | None:
    """What each sampled token writes and its log-probability in nats; None where one of them is not told."""
    told = choice.get("logprobs")
    rows = told.get("content") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not rows:
        return None
    found = [_token(row) for row in rows]
    return [one for one in found if one is not None] if None not in found else None


def _token(row: Any) -> tuple[bytes, float] | None:
    if not isinstance(row, dict) or not _is_logprob(row.get("logprob")):
        return None
    written, text = row.get("bytes"), row.get("token")
    try:
        data = bytes(written) if isinstance(written, list) else str(text).encode() if isinstance(text, str) else None
    except (ValueError, TypeError):  # numbers that are no bytes, half a character
        return None
    return None if data is None else (data, round(float(row["logprob"]), 7))


def _is_logprob(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return UNKNOWN < value <= 1e-6 and math.isfinite(value)


# Tokens and the text --------------------------------------------------------------------------------------------------------


def _exact(
    choice: dict[str, Any], text: str, tokens: list[tuple[bytes, float]] | None, texts: Texts, *,
    cut: bool, stops: Sequence[str], opened: bool,
) -> Completion | None:  # fmt: skip
    """The completion in the tokens that were sampled, as the `hf` engine has it; None where the endpoint does not tell them."""
    ids = choice.get("token_ids")
    size = len(texts.tokenizer)
    if not isinstance(ids, list) or not ids or not all(type(token) is int and 0 <= token < size for token in ids):
        return None
    written, token_ends = texts.token_offsets(ids)
    if CLOSE in text and CLOSE not in written:  # a mark that the tokenizer does not write
        return None
    if _after_thinking(written, stops) != _after_thinking(text, stops):
        raise OtherText
    if opened and text.startswith(OPEN) and CLOSE not in text and not written.lstrip().startswith(OPEN):
        written, token_ends = OPEN + written, tuple(end + len(OPEN) if end >= 0 else end for end in token_ends)
    logprobs = tuple(value for _, value in tokens) if tokens is not None and len(tokens) == len(ids) else None
    return Completion(written, tuple(ids), token_ends, logprobs, truncated=cut)


def _after_thinking(text: str, stops: Sequence[str]) -> str:
    """What a judgement says in the end; its opening mark may have stood in the prompt, and its last character may be half there.

    The last of the tokens may write more than the string that ended the text.
    """
    text = text[: end_of(text, stops)]
    return text.rpartition(CLOSE)[2].strip().removeprefix(OPEN).strip().rstrip("\ufffd")


def _aligned(text: str, marks: dict[int, int], tokens: list[tuple[bytes, float]] | None, *, cut: bool, stops: Sequence[str]) -> Completion:
    """The completion with log-probabilities where its tokens write exactly its text, and without them where they do not."""
    written = [] if tokens is None else [written for written, _ in tokens]
    byte_ends = None if tokens is None else _byte_ends(text.encode(), written, marks, over=end_of(text, stops) == len(text))
    if tokens is None or byte_ends is None:
        return Completion(text, truncated=cut)
    starts = [0, *accumulate(len(character.encode()) for character in text)]
    token_ends = tuple(-1 if end < 0 else bisect_left(starts, end) for end in byte_ends)
    return Completion(text, (), token_ends, tuple(value for _, value in tokens), truncated=cut)


def _byte_ends(text: bytes, tokens: list[bytes], marks: dict[int, int], *, over: bool = False) -> list[int] | None:
    """Where in the text's bytes each token's end, -1 for one that writes nothing, as an end of turn; None unless they make up all of it.

    Tokens may pass over marks, which the model need not have written; with `over`, one may write more than the text's end.
    """
    at, byte_ends = 0, []
    for written in tokens:
        token = text[at:] if over and at < len(text) and written.startswith(text[at:]) else written
        start = next((place for place in (at, marks.get(at, at)) if token and text.startswith(token, place)), None)
        at = at if start is None else start + len(token)
        byte_ends.append(-1 if start is None else at)
    return byte_ends if marks.get(at, at) == len(text) else None


def _short(text: str) -> str:
    """A text in a message: one line, not long."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 120 else text[:120] + "…")
