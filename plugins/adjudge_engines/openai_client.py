"""One call of an endpoint through OpenAI's client: when it may begin, which errors are asked again, and which end the job.

The client's own retries are off, so that there is one place that decides. No message ever holds the key.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import openai
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from adjudge import ConfigError

from .openai_options import OpenAiEngine
from .openai_pace import Pace, asked_to_wait
from .openai_refusals import About, Refusal, about, lacks_money, read_refusal, refuses_system, remedy_for_setting
from .openai_requests import Chat, body_of
from .openai_responses import Fault, Refused, error_within
from .openai_room import AT_LEAST, room_left

SECRET = 8
"""Characters from which on a key is one, and not a word such as EMPTY that a local endpoint is given."""
IN_A_ROW = 10
"""Prompts refused without an answer between them after which it is looked whether others are answered still."""
KEPT = "What was answered is kept in a run's records, and in the cache where engine.weights says what is served"
Read = TypeVar("Read")


class Unwell(Exception):
    """An endpoint answered with an error; what it is about is not known yet."""

    def __init__(self, refusal: Refusal, wait: float) -> None:
        super().__init__(refusal.told)
        self.refusal, self.wait = refusal, wait


class Endpoint:
    """A client of one endpoint."""

    def __init__(self, options: OpenAiEngine, key: str | None) -> None:
        self.options = options
        self.over: ConfigError | None = None
        """Why no more is asked; None while all is well."""
        self.folds = False
        """Whether the endpoint refused a system turn, so that none is sent."""
        self._clipped = self._counts = False
        """Whether there was less room than a prompt's judgement may take, and whether the endpoint counts a prompt's tokens."""
        self._key = key or ""
        secret_headers = options.secret_headers()
        self._secrets = [secret for secret in (self._key, *secret_headers.values()) if len(secret) >= SECRET]
        self._pace = Pace(options.requests_per_minute)
        self._deciding = asyncio.Lock()
        self._answered_since = float("-inf")
        """When the last request began that was answered, in seconds of the monotonic clock."""
        self._in_a_row = 0
        """Prompts refused since."""
        self._client = openai.AsyncOpenAI(
            base_url=options.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=openai.Timeout(options.read_seconds, connect=options.connect_seconds),
            default_headers={**options.headers, **secret_headers},
            default_query=options.query,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not options.local),  # a proxy does not reach this machine's own
        )
        self._apis = {
            "chat": self._client.chat.completions.with_raw_response,
            "responses": self._client.responses.with_raw_response,
            "text": self._client.completions.with_raw_response,
        }

    async def close(self) -> None:
        await self._client.close()

    async def owner(self) -> str:
        """Who the endpoint says owns its models, such as vllm or llamacpp; nothing where it does not say."""
        try:
            models = await self._client.models.list(timeout=self.options.connect_seconds)
            return str(getattr(models.data[0], "owned_by", ""))
        except (openai.OpenAIError, TypeError, IndexError, AttributeError, ValueError):
            return ""

    async def chat(self, chat: Chat, read: Callable[[str], Read]) -> Read:
        """What `read` makes of the answer, asked for as this endpoint takes it: without a system turn, in the room that is left."""
        if self._counts and (room := await self._counted(chat.folded() if self.folds else chat)) and 0 < room < chat.max_new_tokens:
            chat = replace(chat, max_new_tokens=room)
        while True:
            asked = chat.folded() if self.folds else chat
            try:
                return await self.ask(self.options.api, body_of(self.options, asked), read, asked)
            except NoSystem:
                self._tell(not self.folds, "takes no system turn; what one says stands at the head of the user's turn")
                self.folds = True
            except LessRoom as less:
                self._tell(
                    not self._clipped, f"has no room for {chat.max_new_tokens} new tokens behind every prompt; there fewer are asked for"
                )
                self._clipped, chat = True, replace(chat, max_new_tokens=less.room)

    async def ask(self, api: str, body: dict[str, Any], read: Callable[[str], Read], chat: Chat | None = None) -> Read:
        """What `read` makes of the answer. Raises `Fault` after the last try, and `ConfigError` at once for what ends the job."""

        async def once() -> Read:
            begun, answer = await self._post(api, body, chat)
            found = read(answer)
            self._well(begun)
            return found

        return await self._again(once)

    async def _again(self, once: Callable[[], Awaitable[Read]]) -> Read:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.options.tries),
            wait=self._wait,
            retry=retry_if_exception(lambda error: isinstance(error, Fault) and error.again and self.over is None),
            reraise=True,
        )
        found: Read = await retrying(once)
        return found

    def _wait(self, state: RetryCallState) -> float:
        """What the endpoint asked for, and a random while that grows with every try, so that callers do not come back all at once."""
        fault = state.outcome.exception() if state.outcome else None
        backoff = wait_random_exponential(multiplier=self.options.first_wait, max=self.options.longest_wait)
        return float(backoff(state)) + (fault.wait if isinstance(fault, Fault) else 0.0)

    async def _post(self, api: str, body: dict[str, Any], chat: Chat | None) -> tuple[float, str]:
        """When the request began and the body of a good answer; raises what becomes of the call otherwise."""
        try:
            return await self._send(api, body)
        except Unwell as unwell:
            raise await self._meaning(unwell, chat) from None

    async def _send(self, api: str, body: dict[str, Any]) -> tuple[float, str]:
        await self._pace.turn()
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.options.total_seconds):
                response = await self._apis[api].create(model=self.options.model, **body)
        except openai.APIStatusError as error:
            said = self._clean(error.response.text, whole=True)
            raise Unwell(read_refusal(error.status_code, said), asked_to_wait(error.response.headers)) from None
        except (TimeoutError, openai.APITimeoutError):
            raise Fault("no answer in time (engine.read_seconds, engine.total_seconds, engine.connect_seconds)") from None
        except openai.APIConnectionError as error:
            raise Fault(self._clean(f"no connection: {error.__cause__ or error}")) from None
        answer = self._clean(response.text, whole=True)
        if (status := error_within(answer)) is not None:
            raise Unwell(read_refusal(status, answer), asked_to_wait(response.headers))
        return begun, answer

    # What a refusal means ---------------------------------------------------------------------------------------------------

    async def _meaning(self, unwell: Unwell, chat: Chat | None) -> Exception:
        """Try again, not this prompt, another body, or the end of the job."""
        refusal, came, what = unwell.refusal, time.monotonic(), about(unwell.refusal)
        if chat is not None and chat.has_system and refuses_system(refusal):
            return NoSystem()
        if chat is not None and (room := await self._room(refusal, chat)) is not None:
            return LessRoom(room)
        if what is About.BUSY:
            return self._busy(unwell)
        answered = self._answered_since > float("-inf")
        if what in (About.ACCOUNT, About.MODEL) or (what is About.SETTING and not answered):
            return self._ends(refusal)
        if answered and (chat is None or (what is About.PROMPT and self._in_a_row < IN_A_ROW)):
            self._in_a_row += 1
            return self._refused(refusal)
        return self._ends(refusal) if chat is None else await self._decided(refusal, came, chat.harmless())

    async def _room(self, refusal: Refusal, chat: Chat) -> int | None:
        """New tokens that there is room for behind the prompt, fewer than were asked for; None where that is not known, or none fit."""
        room = room_left(refusal.words, chat.max_new_tokens)
        if room is None or not AT_LEAST.search(refusal.words):
            return room
        exact = await self._counted(chat)
        if exact is None:
            return room
        self._counts = True
        return exact if 0 < exact < chat.max_new_tokens else None

    async def _counted(self, chat: Chat) -> int | None:
        """Tokens that are left behind a prompt by vLLM's own count; None where nobody counts."""
        address, more = self.options.base_url.removesuffix("/v1") + "/tokenize", self.options.extra.get("chat_template_kwargs")
        body = {"model": self.options.model, "messages": chat.turns, **({"chat_template_kwargs": more} if more else {})}
        try:
            told: Any = await self._client.post(address, cast_to=object, body=body)
            return int(told["max_model_len"]) - int(told["count"])
        except (openai.OpenAIError, KeyError, TypeError, ValueError):
            return None

    async def _decided(self, refusal: Refusal, came: float, harmless: Chat) -> Exception:
        """What a refusal is about, by whether anything that was asked after it is answered: the rest of the batch, or a harmless prompt."""
        async with self._deciding:
            if self.over is not None:
                return self.over
            if self._answered_since > came:
                return self._refused(refusal)
            try:
                await self._again(partial(self._probe, harmless))
            except Unwell as again:
                return self._ends(refusal if lacks_money(refusal) else again.refusal)
            except Fault as fault:
                return Fault(f"{self._refused(refusal)}; whether it is this prompt's fault is not known: {fault}", again=False)
            return self._refused(refusal)

    async def _probe(self, harmless: Chat) -> None:
        try:
            begun, _ = await self._send(self.options.api, body_of(self.options, harmless))
        except Unwell as unwell:
            raise self._busy(unwell) if about(unwell.refusal) is About.BUSY else unwell from None
        self._well(begun)

    def _well(self, begun: float) -> None:
        """A request that began then was answered."""
        self._answered_since, self._in_a_row = max(self._answered_since, begun), 0

    def _refused(self, refusal: Refusal) -> Refused:
        return Refused(f"refused with status {refusal.status}: {self._clean(refusal.told)}")

    def _busy(self, unwell: Unwell) -> Fault:
        status, said, wait = unwell.refusal.status, self._clean(unwell.refusal.told), unwell.wait
        if wait > self.options.longest_wait:
            return Fault(f"status {status}, and to wait {wait:.0f} s, longer than engine.longest_wait: {said}", again=False)
        self._pace.hold(wait)
        return Fault(f"status {status}: {said}", wait=wait)

    def _ends(self, refusal: Refusal) -> ConfigError:
        """The end of the job, with its remedy."""
        said = f"status {refusal.status}: {self._clean(refusal.told)}"
        if lacks_money(refusal) and refusal.status not in (401, 403):
            self.over = ConfigError(
                f"engine: the account behind the key has no quota left: {said}\n  Remedy: see to it, and run again. {KEPT}."
            )
        else:
            self.over = ConfigError(f"engine: {self.options.base_url} answered with {said}\n  Remedy: {self._remedy(refusal)}.")
        return self.over

    def _remedy(self, refusal: Refusal) -> str:
        what = about(refusal)
        if refusal.status in (401, 403) or what is About.ACCOUNT:
            name = self.options.key_variable or "OPENAI_API_KEY"
            sent = f"the key in {name} is not accepted" if self._key else "no key was sent; name its environment variable in key_variable"
            return f"{sent}, or it may not use this model. {KEPT}"
        if refusal.status == 404 or what is About.MODEL:
            return f"see that engine.base_url ends where /chat/completions begins, and that {self.options.model!r} is served there"
        if what is About.PROMPT:
            return "it refuses even a harmless prompt of one line: lower judge.max_new_tokens, or ask another model"
        return remedy_for_setting(refusal)

    def _tell(self, first: bool, what: str) -> None:
        if first:
            print(f"{self.options.base_url} {what}", file=sys.stderr)

    def _clean(self, text: str, *, whole: bool = False) -> str:
        """A text without the key; as part of a message on one line, and not long."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text if whole else " ".join(text.split())[:300]


class NoSystem(Exception):
    """The endpoint takes no system turn."""


class LessRoom(Exception):
    """Behind this prompt is room for fewer new tokens than were asked for."""

    def __init__(self, room: int) -> None:
        super().__init__(f"room for {room} tokens")
        self.room = room
