"""One call of an endpoint through OpenAI's client: when it may begin, which errors are asked again, and which end the job.

The client's own retries are off, so that there is one place that decides. No message ever holds the key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import openai
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from adjudge import ConfigError

from .openai_options import OpenAiEngine
from .openai_responses import Fault, Refused

BUSY = (408, 409, 425, 429)
"""What an endpoint answers, besides 500 and above, when asking again later may help."""
ALWAYS_OURS = (401, 404)
"""What an endpoint never answers because of one prompt."""
SECRET = 8
"""Characters from which on a key is one, and not a word such as EMPTY that a local endpoint is given."""
Read = TypeVar("Read")


class Pace:
    """When the next request may begin: evenly spread where there is a limit, and not while the endpoint asked to be left alone."""

    def __init__(self, per_minute: float | None) -> None:
        self.interval = 60 / per_minute if per_minute else 0.0
        self.free = time.monotonic()
        self._first = asyncio.Lock()

    async def turn(self) -> None:
        """Callers stand in line, and the first looks again when it wakes, so that a wait that was asked for meanwhile holds for all."""
        async with self._first:
            begin = time.monotonic()
            while (left := self.free - time.monotonic()) > 0:
                begin = self.free
                await asyncio.sleep(left)
            self.free = begin + self.interval

    def hold(self, seconds: float) -> None:
        self.free = max(self.free, time.monotonic() + seconds)


class Endpoint:
    """A client of one endpoint."""

    def __init__(self, options: OpenAiEngine, key: str | None) -> None:
        self.options = options
        self._key = key or ""
        self._pace = Pace(options.requests_per_minute)
        self._answered = False
        self._client = openai.AsyncOpenAI(
            base_url=options.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=openai.Timeout(options.read_seconds, connect=options.connect_seconds),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not options.local),  # a proxy does not reach this machine's own
        )
        self._apis = {"chat": self._client.chat.completions.with_raw_response, "text": self._client.completions.with_raw_response}

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, api: str, body: dict[str, Any], read: Callable[[str], Read]) -> Read:
        """What `read` makes of the answer. Raises `Fault` after the last try, and `ConfigError` at once for a mistake of the user."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.options.tries),
            wait=self._wait,
            retry=retry_if_exception(lambda error: isinstance(error, Fault) and error.again),
            reraise=True,
        )
        found: Read = await retrying(self._try, api, body, read)
        return found

    def _wait(self, state: RetryCallState) -> float:
        """What the endpoint asked for, and a random while that grows with every try, so that callers do not come back all at once."""
        fault = state.outcome.exception() if state.outcome else None
        backoff = wait_random_exponential(multiplier=self.options.first_wait, max=self.options.longest_wait)
        return float(backoff(state)) + (fault.wait if isinstance(fault, Fault) else 0.0)

    async def _try(self, api: str, body: dict[str, Any], read: Callable[[str], Read]) -> Read:
        await self._pace.turn()
        try:
            async with asyncio.timeout(self.options.total_seconds):
                response = await self._apis[api].create(model=self.options.model, **body)
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (TimeoutError, openai.APITimeoutError):
            raise Fault("no answer in time (engine.read_seconds, engine.total_seconds, engine.connect_seconds)") from None
        except openai.APIConnectionError as error:
            raise Fault(self._clean(f"no connection: {error.__cause__ or error}")) from None
        found = read(self._clean(response.text, whole=True))
        self._answered = True
        return found

    def _refused(self, error: openai.APIStatusError) -> Exception:
        """What a status other than success means: try again, not this prompt, or not at all."""
        status, said = error.status_code, self._clean(_said(error))
        if status in BUSY or status >= 500:
            if "insufficient_quota" not in said:
                return self._busy(status, said, _retry_after(error.response.headers))
            return ConfigError(f"engine: the account behind the key has no quota left: {said}\n  Remedy: see to it, and run again.")
        if self._answered and status not in ALWAYS_OURS:
            return Refused(f"refused with status {status}: {said}")
        return ConfigError(f"engine: {self.options.base_url} answered with status {status}: {said}\n  Remedy: {self._remedy(status)}.")

    def _busy(self, status: int, said: str, wait: float) -> Fault:
        if wait > self.options.longest_wait:
            return Fault(f"status {status}, and to wait {wait:.0f} s, longer than engine.longest_wait: {said}", again=False)
        self._pace.hold(wait)
        return Fault(f"status {status}: {said}", wait=wait)

    def _remedy(self, status: int) -> str:
        if status in (401, 403):
            name = self.options.key_variable or "OPENAI_API_KEY"
            sent = f"the key in {name} is not accepted" if self._key else "no key was sent; name its environment variable in key_variable"
            return f"{sent}, or it may not use this model"
        if status == 404:
            return f"see that engine.base_url ends where /chat/completions begins, and that {self.options.model!r} is served there"
        return "where it does not take an option, see engine.logprobs, engine.limit, engine.leave_out and engine.extra; else the prompt"

    def _clean(self, text: str, *, whole: bool = False) -> str:
        """A text without the key; as part of a message on one line, and not long."""
        if len(self._key) >= SECRET:
            text = text.replace(self._key, "***")
        return text if whole else " ".join(text.split())[:300]


def _said(error: openai.APIStatusError) -> str:
    """What the endpoint gives as its reason."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        code = body.get("code")
        return f"{body['message']} ({code})" if isinstance(code, str) else str(body["message"])
    return str(error.message)


def _retry_after(headers: Any) -> float:
    """Seconds that an endpoint asks to wait, as seconds or as a date; 0 where it asks for nothing that can be read."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0
