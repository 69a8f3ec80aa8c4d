"""The `openai` engine's options: a judge behind any endpoint that speaks OpenAI's API, for example ``vllm serve``.

Neither paper says how its judges were served; RRM's authors sample 8,192 tokens a judgement, for which an endpoint needs long timeouts.
Keys come from the environment alone. Docs: decisions/0015.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from adjudge import ConfigError, Engine, Json, Judge, Message, Session

from .limits import check_scores_given_tokens, check_temperature

NO_ANSWER = frozenset({"key_variable", "header_variables", "concurrency", "requests_per_minute", "tries", "first_wait", "longest_wait",
                       "connect_seconds", "read_seconds", "total_seconds", "give_up_after"})  # fmt: skip
"""Options on which whether an answer comes depends, and never what it says."""
OURS = {
    "model",
    "messages",
    "prompt",
    "n",
    "stream",
    "echo",
    "logprobs",
    "seed",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stop",
    "input",
    "instructions",
    "store",
}
SECRET_NAMES = re.compile(r"auth|key|token|secret|password|sig(?:nature)?$|cookie", re.IGNORECASE)
"""Names of headers and queries whose values are keys."""


def _plain_url(url: str) -> str:
    """Validates a base URL: where to ask, and nothing that could be a key."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write it as http://HOST:PORT/v1 or https://HOST/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a URL with a user, a password or a query is not taken, for run files are kept; keys come from the environment")
    return url.rstrip("/")


def _no_secrets(values: dict[str, str]) -> dict[str, str]:
    """Validates headers and queries that stand in a run file: none is a key."""
    for name in values:
        if SECRET_NAMES.search(name):
            raise ValueError(
                f"{name!r} is a key, and run files are kept; name its environment variable in key_variable or header_variables"
            )
    return values


def _not_ours(extra: dict[str, Any]) -> dict[str, Any]:
    """Validates what is to be sent besides: nothing that adjudge sends itself."""
    for name in extra:
        if name in OURS:
            raise ValueError(f"{name!r} is sent by adjudge itself; see the other options and those of the judge")
    return extra


class OpenAiEngine(Engine):
    """A model behind an endpoint that speaks OpenAI's API, as ``vllm serve`` does; the run's own model folder is not sent there."""

    per_process: ClassVar[bool] = False
    ignores_model_folder: ClassVar[bool] = True
    statistics: ClassVar[frozenset[str]] = frozenset({"top_logprob"})
    without_effect: ClassVar[frozenset[str]] = NO_ANSWER

    use: Literal["openai"] = "openai"
    base_url: Annotated[str, AfterValidator(_plain_url)]
    """Where the endpoint is, up to and with its version, for example ``http://127.0.0.1:8000/v1``."""
    model: str
    """The model's name at the endpoint."""
    key_variable: str | None = None
    """Environment variable with the key; None = OPENAI_API_KEY where there is one, which is not sent in plain text to another machine."""
    api: Literal["chat", "responses"] = "chat"
    """Which API is spoken: chat completions, as everybody does, or OpenAI's responses, which some models need; those have no seeds."""
    query: Annotated[dict[str, str], AfterValidator(_no_secrets)] = {}
    """Sent behind the question mark of every address, for example ``{api-version: "2024-10-21"}`` for Azure's older addresses."""
    headers: Annotated[dict[str, str], AfterValidator(_no_secrets)] = {}
    """Headers of every request, for example ``{X-Title: my judge}``; never a key."""
    header_variables: dict[str, str] = {}
    """Headers whose values stand in environment variables, for example ``{api-key: AZURE_OPENAI_API_KEY}``."""
    concurrency: Annotated[int, Field(gt=0, le=1000)] = 32
    """Calls under way at a time."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Requests that are begun in a minute, evenly spread and repeated ones included; None = as many as there are answers to."""
    tries: Annotated[int, Field(gt=0)] = 6
    """Times that a call is made before it is *failed*: busy, broken or missing answers are asked for again."""
    first_wait: Annotated[float, Field(ge=0)] = 1.0
    """Seconds before the second try at most; doubled for each further one, and drawn at random below that."""
    longest_wait: Annotated[float, Field(ge=0)] = 60.0
    """Seconds before any try at most; an endpoint that asks for more (``Retry-After``) fails the call."""
    connect_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Seconds until a connection stands."""
    read_seconds: Annotated[float, Field(gt=0)] = 1200.0
    """Seconds without a byte; an answer comes in one piece, so this is also how long a judgement may take to be written."""
    total_seconds: Annotated[float, Field(gt=0)] = 1800.0
    """Seconds of one try from connecting to the answer's last byte."""
    give_up_after: Annotated[int, Field(gt=0)] = 20
    """Calls failed in a row, each after its last try, after which the rest of a batch fails without being asked."""
    logprobs: bool = True
    """Whether to ask for log-probabilities of the sampled tokens; where none are told, a completion has none."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit of new tokens; OpenAI's reasoning models only take the second."""
    leave_out: list[Literal["seed", "temperature", "top_p", "n", "stop"]] = []
    """Settings of the judge that the endpoint refuses and that are not sent; it then samples as it likes."""
    extra: Annotated[dict[str, Any], AfterValidator(_not_ours)] = {}
    """Sent with every chat besides, for example ``{chat_template_kwargs: {enable_thinking: true}}``."""
    opens_thinking: bool | None = None
    """Whether the served chat template opens the thinking itself, so that a text without an end of it is all thinking; None = as the
    template of `tokenizer` has it, and no where none is named."""
    tokenizer: FilePath | None = None
    """Folder with the served model's tokenizer; with it exact tokens (vLLM tells them), scores of given texts, and token counts."""
    weights: str | None = None
    """What is served, in your words, such as a revision: completions are then cached under it; None = not, for a name is no weights."""

    @model_validator(mode="after")
    def _special_tokens_are_written_by_nobody(self) -> Self:
        if self.tokenizer is not None and self.extra.get("skip_special_tokens") is False:
            raise ValueError("with a tokenizer texts are read from tokens, special ones apart: leave extra.skip_special_tokens out")
        return self

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        key = self.key()
        from .openai import OpenAiSession

        session = OpenAiSession(self, key)
        try:
            yield session
        finally:
            session.close()

    def check_judge(self, judge: Judge) -> None:
        if "temperature" not in self.leave_out:
            check_temperature(judge, "OpenAI's API")
        if self.tokenizer is None:
            check_scores_given_tokens(
                judge, "an endpoint without engine.tokenizer",
                "name the folder of the served model's tokenizer, where vLLM serves it, or take the engine hf or vllm.",
                lists=self.logprobs,
            )  # fmt: skip

    def fingerprint(self) -> Json | None:
        """Everything that decides what is answered, once the user vouches for the weights; None until then."""
        if self.weights is None:
            return None
        return self.model_dump(mode="json", exclude=set(self.without_effect))

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        if self.tokenizer is None:
            return None
        from .chat import count_tokens

        return count_tokens(self.tokenizer, prompts)

    def secret_headers(self) -> dict[str, str]:
        """Headers with the values of their environment variables. Raises `ConfigError` for one that is not there."""
        return {header: self._secret(name, "header_variables") for header, name in self.header_variables.items()}

    @property
    def local(self) -> bool:
        """Whether the endpoint is on this machine."""
        host = str(urlsplit(self.base_url).hostname)
        import ipaddress

        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def key(self) -> str | None:
        """The key, from the environment; None where there is none to send. Raises `ConfigError` without ever quoting it."""
        name = self.key_variable or "OPENAI_API_KEY"
        if self.key_variable is None and not self.local and self.base_url.startswith("http:"):
            return None
        if self.key_variable is not None or os.environ.get(name, "").strip():
            return self._secret(name, "key_variable")
        return None

    def _secret(self, name: str, option: str) -> str:
        value = os.environ.get(name, "").strip()
        if not value:
            raise ConfigError(
                f"engine.{option}: the environment has no {name}.\n  Remedy: export it, or leave {option} out where no key is needed."
            )
        if not re.fullmatch(r"[!-~]*", value):
            raise ConfigError(f"engine.{option}: {name} holds characters that no key has, such as spaces.\n  Remedy: export it again.")
        return value
