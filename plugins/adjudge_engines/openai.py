"""The `openai` session: many chats at a time with one endpoint, each asked again until it is answered or has failed with a reason.

What the endpoint says is never trusted to be whole: see `openai_responses`. What an error means for the other calls: decisions/0015.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any, TypeVar

from adjudge import Completion, ConfigError, JobError, Message, escape_special_tokens

from .background import Background
from .folder import TOKENIZER_FILES
from .installed import require
from .openai_client import Endpoint
from .openai_options import OpenAiEngine
from .openai_responses import Fault, OtherText, Refused, read_chat, read_echo
from .texts import Texts

MARKUP = re.compile(r"<(?=[|｜][^|｜<>\n]{1,40}[|｜]>|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")
"""Where the chat markup of well-known models begins; an endpoint would take it for its own."""
SEEDS = 2**31
"""Seeds below this number are taken by every server."""
Request = TypeVar("Request")


class OpenAiSession:
    """An endpoint that is asked; nothing is sent before the first prompt."""

    def __init__(self, options: OpenAiEngine, key: str | None) -> None:
        self.options = options
        self.texts = None if options.tokenizer is None else _texts(options.tokenizer)
        self.right_tokenizer = False
        """Whether an answer has come whose tokens wrote its text."""
        self.endpoint = Endpoint(options, key)
        self.background = Background()

    def close(self) -> None:
        self.background.close(last=self.endpoint.close())

    def sample(
        self,
        prompts: Sequence[list[Message]],
        *,
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:
        settings = {
            "temperature": temperature,
            "top_p": top_p,
            self.options.limit: max_new_tokens,
            **({"stop": list(stop)} if stop else {}),
        }
        bodies = [self._body(prompt, seed % SEEDS, settings) for prompt, seed in zip(prompts, seeds, strict=True)]
        failures: list[str] = []
        return self._each(bodies, partial(self._answer, failures=failures))

    def _body(self, prompt: list[Message], seed: int, settings: dict[str, Any]) -> dict[str, Any]:
        """A request for one completion."""
        sent = {"seed": seed, **settings, "messages": self._escaped(prompt), "n": 1, "extra_body": dict(self.options.extra)}
        if self.options.logprobs:
            sent["logprobs"] = True
        if self.texts is not None:
            sent["extra_body"]["return_token_ids"] = True
        return {name: value for name, value in sent.items() if name not in self.options.leave_out}

    def _escaped(self, prompt: list[Message]) -> list[Message]:
        """The prompt without chat markup in its texts: the model's own special tokens, or without a tokenizer those of known models."""
        if self.texts is not None:
            return escape_special_tokens(prompt, self.texts.tokenizer)
        return [{**turn, "content": MARKUP.sub(lambda found: found[0] + " ", turn["content"])} for turn in prompt]

    async def _answer(self, body: dict[str, Any], *, failures: list[str]) -> Completion:
        """The completion, or why there is none; `failures` are those since the last answer, and too many of them end the asking."""
        if len(failures) >= self.options.give_up_after:
            return Completion("", error=f"not asked: {len(failures)} calls failed one after the other, the last with: {failures[-1]}")
        try:
            completion = await self.endpoint.ask("chat", body, self._read)
        except Refused as fault:
            completion = Completion("", error=str(fault))
        except Fault as fault:
            failures.append(str(fault))
            return Completion("", error=str(fault))
        failures.clear()
        return completion

    def _read(self, answer: str) -> Completion:
        """The completion. Raises `Fault`, and `ConfigError` where no answer yet has shown that the tokenizer is the model's."""
        try:
            completion = read_chat(answer, self.texts)
        except OtherText as fault:
            if self.right_tokenizer:
                raise
            raise ConfigError(f"engine.tokenizer: {fault}.\n  Remedy: name the folder of the model that is served.") from None
        self.right_tokenizer |= bool(completion.token_ids and completion.text.strip())
        return completion if self.texts is None else replace(completion, opened=self.texts.opened)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        if self.texts is None:
            raise ConfigError(
                "engine.tokenizer: given tokens can be scored only with the served model's tokenizer.\n"
                "  Remedy: name its folder, or take the engine hf or vllm with the weights."
            )
        start = self.texts.to_score(prompt, continuations)
        places = [index for index, path in enumerate(continuations) if path]
        found: list[list[float]] = [[] for _ in continuations]
        paths = [list(continuations[index]) for index in places]
        for place, values in self._each(paths, partial(self._scored, start)):
            found[places[place]] = values
        return found

    async def _scored(self, start: list[int], path: list[int]) -> list[float]:
        body = {"prompt": start + path, "echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0.0}
        try:
            return await self.endpoint.ask("text", body, lambda text: read_echo(text, len(start), len(path)))
        except Refused as fault:
            raise ConfigError(
                f"engine: the endpoint {self.options.base_url} cannot score given tokens: {fault}\n"
                "  Remedy: serve the model with 'vllm serve', or take the engine hf or vllm with the weights."
            ) from None
        except Fault as fault:
            raise JobError(f"engine: a path could not be scored: {fault}\n  Remedy: run again; finished records are kept.") from None

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        if self.texts is None:
            raise ConfigError(
                "engine.tokenizer: an endpoint's tokens are known only with the served model's tokenizer.\n"
                "  Remedy: name its folder, or take the engine hf or vllm with the weights."
            )
        return self.texts.tokenize(text, token_ids)

    def _each(self, requests: Sequence[Request], one: Callable[[Request], Awaitable[Any]]) -> Iterator[tuple[int, Any]]:
        """``one`` of every request, with its index, as it finishes; so many at a time as the options say."""

        async def work(put: Callable[[tuple[int, Any]], None]) -> None:
            waiting = iter(enumerate(requests))

            async def caller() -> None:
                for index, item in waiting:
                    put((index, await one(item)))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.options.concurrency, len(requests))):
                        group.create_task(caller())
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None

        return self.background.stream(work)


def _texts(folder: FilePath) -> Texts:
    """The tokenizer in a folder, which needs to hold no weights."""
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ConfigError(
            f"engine.tokenizer: {folder} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)}).\n  Remedy: check the path."
        )
    require("train", "transformers")
    from transformers import AutoTokenizer

    settings = folder / "generation_config.json"
    ends = json.loads(settings.read_text(encoding="utf-8")).get("eos_token_id") if settings.is_file() else None
    return Texts(AutoTokenizer.from_pretrained(folder), ends_of_turn=ends, context=None)
