"""Whether an endpoint's log-probabilities are the model's own at temperature 1, or those of the distribution that it sampled from.

vLLM with ``--logprobs-mode processed_logprobs``, which ``trl vllm-serve`` sets, and SGLang tell the second kind: at temperature 0.5 and
top_p 0.5 every sampled token may have 0.0, and whatever is made of them says that all paths are equally sure. Nothing in an answer tells
which kind it is, so it is measured: against an echo of the same tokens, which stays raw, else against the first token's at temperature 1.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from adjudge import Completion, ConfigError

from .openai_client import Endpoint
from .openai_options import OpenAiEngine
from .openai_requests import SHAPES, Chat, body_of, shaped
from .openai_responses import Fault, top_logprobs

TRIES = 3
"""Completions after which what cannot be told is taken for the worse kind."""
CANDIDATES = 5
"""Tokens whose log-probabilities are compared in the first place of an answer."""
LEAST = -9999.0
"""What stands for a token that is not sampled from at all."""
SURE = 0.3
"""Nats below which a token is so sure that both kinds agree about it."""
Echo = Callable[[Chat, Sequence[int]], Awaitable[list[float]]]


class Kind(Enum):
    RAW = "those of the model at temperature 1"
    PROCESSED = "those of the distribution that was sampled from"
    UNKNOWN = "of a kind that could not be found out"


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    example: tuple[float, float] = (0.0, 0.0)
    """Of one token: what was reported, and what the model gives it at temperature 1."""


class LogprobCheck:
    """Checks once for each way of sampling, with the first answers that have log-probabilities."""

    def __init__(self, options: OpenAiEngine, endpoint: Endpoint, echo: Echo | None) -> None:
        self._options, self._endpoint, self._echo = options, endpoint, echo
        self._found: dict[tuple[float, float], Finding] = {}
        self._tried: dict[tuple[float, float], int] = {}
        self._first = asyncio.Lock()

    async def checked(self, chat: Chat, completion: Completion) -> Completion:
        """The completion, without its log-probabilities where they are not the model's own."""
        if completion.logprobs is None or not shaped(self._options, chat):
            return completion
        key = chat.temperature, chat.top_p
        async with self._first:
            finding = self._found.get(key) or await self._look(key, chat, completion)
        return completion if finding.kind is Kind.RAW else replace(completion, logprobs=None)

    async def _look(self, key: tuple[float, float], chat: Chat, completion: Completion) -> Finding:
        echoed = await self._by_echo(chat, completion)
        finding = echoed if echoed.kind is Kind.RAW else await self._by_probe(chat)
        if echoed.kind is Kind.PROCESSED and finding.kind is Kind.RAW:
            self._tell_of_another_prompt(echoed)
        elif finding.kind is Kind.UNKNOWN:
            finding = echoed
        self._tried[key] = self._tried.get(key, 0) + 1
        if finding.kind is not Kind.UNKNOWN or self._tried[key] >= TRIES:
            self._found[key] = finding
            if finding.kind is not Kind.RAW:
                self._tell(chat, finding)
        return finding

    async def _by_echo(self, chat: Chat, completion: Completion) -> Finding:
        """Against the same tokens as given ones."""
        if self._echo is None or not completion.token_ids or completion.logprobs is None:
            return Finding(Kind.UNKNOWN)
        try:
            raw = await self._echo(chat, completion.token_ids)
        except (Fault, ConfigError):
            return Finding(Kind.UNKNOWN)
        return compare(list(zip(completion.logprobs, raw, strict=True)))

    async def _by_probe(self, chat: Chat) -> Finding:
        """Against the candidates for the first token of the same prompt at temperature 1."""
        plain = replace(chat, max_new_tokens=16 if self._options.api == "responses" else 1, stop=(), more={})
        try:
            shaped = await self._candidates(plain, ())
            unshaped = await self._candidates(replace(plain, temperature=1.0, top_p=1.0), SHAPES)
        except (Fault, ConfigError):
            return Finding(Kind.UNKNOWN)
        cut_off = {} if len(shaped) == 1 or len(shaped) >= len(unshaped) else dict.fromkeys(unshaped, -math.inf)
        reported = {**cut_off, **shaped}
        return compare([(reported[token], raw) for token, raw in unshaped.items() if token in reported])

    async def _candidates(self, chat: Chat, without: Sequence[str]) -> dict[str, float]:
        body = body_of(self._options, chat.folded() if self._endpoint.folds else chat)
        body.pop("seed", None)
        extra = {name: value for name, value in body["extra_body"].items() if name not in without}
        return await self._endpoint.ask(self._options.api, {**body, "top_logprobs": CANDIDATES, "extra_body": extra}, top_logprobs)

    def _tell_of_another_prompt(self, finding: Finding) -> None:
        print(
            f"warning: {self._options.base_url} samples behind another prompt than engine.tokenizer writes for the same chat (of one token"
            f" {finding.example[0]:.2f} and not {finding.example[1]:.2f}), so given texts would be scored behind the wrong one.\n"
            "  Remedy: see that the folder has the chat template that is served, and that engine.extra sets nothing that changes it.",
            file=sys.stderr,
        )

    def _tell(self, chat: Chat, finding: Finding) -> None:
        reported, raw = finding.example
        seen = f" (of one token {reported:.2f} and not {raw:.2f})" if finding.kind is Kind.PROCESSED else ""
        print(
            f"warning: the log-probabilities of {self._options.base_url} at temperature {chat.temperature:g} and top_p {chat.top_p:g} are"
            f" {finding.kind.value}{seen}; they are left out.\n"
            "  Remedy: serve with vLLM's --logprobs-mode raw_logprobs, or name engine.tokenizer: texts are then scored through an echo.",
            file=sys.stderr,
        )


def compare(pairs: Sequence[tuple[float, float]]) -> Finding:
    """What pairs of a reported log-probability and the model's own of the same token say.

    Two runs of one model differ a little, and most about tokens that it would hardly ever take. A token that is sure says nothing.
    """
    telling = [(max(reported, LEAST), raw) for reported, raw in pairs if raw < -SURE]
    apart = sum(abs(reported - raw) for reported, raw in telling)
    if not telling:
        return Finding(Kind.UNKNOWN)
    if apart <= sum(0.12 + 0.025 * abs(raw) for _, raw in telling):
        return Finding(Kind.RAW)
    return Finding(Kind.PROCESSED, max(telling, key=lambda pair: abs(pair[0] - pair[1])))
