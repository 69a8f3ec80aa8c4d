"""The `openai` session: many chats at a time with one endpoint, each asked again until it is answered or has failed with a reason.

What the endpoint says is never trusted to be whole: see `openai_responses`. What an error means for the other calls: decisions/0015.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from adjudge import Completion, ConfigError, JobError, Message
from adjudge_judges import Listed

from .background import Background
from .chat_template import folded
from .groups import Prompted, answered
from .openai_client import Endpoint
from .openai_listed import NotListed, read_listed
from .openai_logprobs import LogprobCheck
from .openai_options import OpenAiEngine
from .openai_requests import Chat, chats
from .openai_responses import Fault, OtherText, Refused, read_answer, read_echo, read_echoed_top
from .openai_tokenizer import opens_thinking, texts_of

PATIENCE = 5.0
"""Seconds after which it is told that calls under way are waited for."""
Request = TypeVar("Request")


class OpenAiSession:
    """An endpoint that is asked; nothing is sent before the first prompt."""

    def __init__(self, options: OpenAiEngine, key: str | None) -> None:
        self.options = options
        self.texts = None if options.tokenizer is None else texts_of(options.tokenizer)
        self.opened = opens_thinking(options, self.texts)
        self.right_tokenizer = False
        """Whether an answer has come whose tokens wrote its text."""
        self.endpoint = Endpoint(options, key)
        self.logprob_check = LogprobCheck(options, self.endpoint, None if self.texts is None else self._echoed)
        self.background = Background()
        self._owner: str | None = None

    def close(self) -> None:
        self.background.close(last=self.endpoint.close())

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:  # fmt: skip
        asked = chats(
            self.options, prompts, seeds=seeds, tokenizer=None if self.texts is None else self.texts.tokenizer, more=self._more(stop),
            temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, stop=stop,
        )  # fmt: skip
        failures: list[str] = []
        return self._each(asked, partial(self._answer, failures=failures))

    @property
    def opens_with(self) -> str:
        """What the served chat template writes before a judgement, where it begins the thinking itself."""
        told = "" if self.texts is None else self.texts.opened
        return (told or "<think>\n") if self.opened else ""

    def _more(self, stop: Sequence[str]) -> dict[str, Any]:
        """What only vLLM knows: to tell tokens, and to leave the string in the text that ended it."""
        more: dict[str, Any] = {} if self.texts is None else {"return_token_ids": True}
        if stop and "stop" not in self.options.leave_out and self.options.api == "chat":
            if self._owner is None:
                self._owner = self.background.run(self.endpoint.owner())
            more |= {"include_stop_str_in_output": True} if self._owner == "vllm" else {}
        return more

    async def _answer(self, chat: Chat, *, failures: list[str]) -> Completion:
        """The completion, or why there is none; `failures` are those since the last answer, and too many of them end the asking."""
        if len(failures) >= self.options.give_up_after:
            return Completion("", error=f"not asked: calls that failed one after the other: {len(failures)}, the last with: {failures[-1]}")
        try:
            completion = await self.endpoint.chat(chat, partial(self._read, stops=chat.stop))
        except Refused as fault:
            completion = Completion("", error=str(fault))
        except Fault as fault:
            if self.endpoint.over is not None:  # it would have been asked again
                raise self.endpoint.over from None
            failures.append(str(fault))
            return Completion("", error=str(fault))
        failures.clear()
        return await self.logprob_check.checked(chat, completion)

    def _read(self, answer: str, stops: Sequence[str]) -> Completion:
        """The completion. Raises `Fault`, and `ConfigError` where no answer yet has shown that the tokenizer is the model's."""
        try:
            completion = read_answer(answer, self.texts, stops=stops, opened=self.opened)
        except OtherText as fault:
            if self.right_tokenizer:
                raise
            raise ConfigError(f"engine.tokenizer: {fault}.\n  Remedy: name the folder of the model that is served.") from None
        self.right_tokenizer |= bool(completion.token_ids and completion.text.strip())
        return completion

    @property
    def tells_given_tokens(self) -> bool:
        """Whether tokens can be given at all, which takes the served model's tokenizer; else `listed` says what is likely."""
        return self.texts is not None

    def listed(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], max_new_tokens: int, top: int
    ) -> Iterator[tuple[int, Listed]]:
        """An answer to every prompt at temperature 1, where log-probabilities are the model's own, with its likeliest tokens."""
        asked = chats(self.options, prompts, seeds=seeds, temperature=1.0, top_p=1.0, max_new_tokens=max_new_tokens)
        return self._each(asked, partial(self._listed, top=top))

    async def _listed(self, chat: Chat, *, top: int) -> Listed:
        try:
            return await self.endpoint.chat(replace(chat, top_logprobs=top), read_listed)
        except NotListed as fault:
            raise ConfigError(
                f"engine: {self.options.base_url} {fault}, so how probable a verdict is cannot be read.\n"
                "  Remedy: ask another endpoint; where vLLM serves the model, name the folder of its tokenizer as engine.tokenizer."
            ) from None
        except Fault as fault:
            return Listed(error=str(fault))

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], statistics: Sequence[str] = ()) -> list[Any]:
        [(_, found)] = self.logprobs_each([(prompt, continuations)], statistics)
        return found

    def logprobs_each(self, prompts: Sequence[Prompted], statistics: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
        """As many paths at a time as the options say, whichever prompt they belong to."""
        if self.texts is None:
            raise ConfigError(
                "engine.tokenizer: given tokens can be scored only with the served model's tokenizer.\n"
                "  Remedy: name its folder, or take the engine hf or vllm with the weights."
            )
        starts = [self.texts.to_score(folded(turns) if self.endpoint.folds else turns, paths) for turns, paths in prompts]
        one = partial(self._scored, starts, top=bool(statistics))
        yield from answered(prompts, statistics, lambda paths: self._each(paths, one))

    async def _scored(self, starts: list[list[int]], path: tuple[int, list[int]], *, top: bool) -> dict[str, list[float]]:
        try:
            return await self._echo(starts[path[0]], path[1], top=top)
        except Refused as fault:
            raise ConfigError(
                f"engine: the endpoint {self.options.base_url} cannot score given tokens: {fault}\n"
                "  Remedy: serve the model with 'vllm serve', or take the engine hf or vllm with the weights."
            ) from None
        except Fault as fault:
            raise JobError(f"engine: a path could not be scored: {fault}\n  Remedy: run again; finished records are kept.") from None

    async def _echo(self, start: list[int], path: list[int], *, top: bool = False) -> dict[str, list[float]]:
        """Log-probabilities of given tokens, which are raw whatever mode the server is in, and of the most probable ones."""

        def read(text: str) -> dict[str, list[float]]:
            more = {"top_logprob": read_echoed_top(text, len(start), len(path))} if top else {}
            return {"logprob": read_echo(text, len(start), len(path)), **more}

        body = {"prompt": start + path, "echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0.0}
        return await self.endpoint.ask("text", body, read)

    async def _echoed(self, chat: Chat, path: Sequence[int]) -> list[float]:
        assert self.texts is not None
        turns = folded(chat.turns) if self.endpoint.folds else chat.turns
        return (await self._echo(self.texts.to_score(turns, [path]), list(path)))["logprob"]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        if self.texts is None:
            raise ConfigError(
                "engine.tokenizer: an endpoint's tokens are known only with the served model's tokenizer.\n"
                "  Remedy: name its folder, or take the engine hf or vllm with the weights."
            )
        return self.texts.tokenize(text, token_ids)

    def _each(self, requests: Sequence[Request], one: Callable[[Request], Awaitable[Any]]) -> Iterator[tuple[int, Any]]:
        """``one`` of every request, with its index, as it finishes; so many at a time as the options say."""

        self.endpoint.over = None
        errors: list[BaseException] = []

        async def work(put: Callable[[tuple[int, Any]], None]) -> None:
            waiting = iter(enumerate(requests))

            async def caller() -> None:
                """Ask one after the other. After an error no more is begun, and what is under way is waited for: it is paid for."""
                for index, item in waiting:
                    if errors:
                        return
                    try:
                        put((index, await one(item)))
                    except Exception as error:
                        errors.append(error)

            callers = [asyncio.create_task(caller()) for _ in range(min(self.options.concurrency, len(requests)))]
            try:
                await _done(callers, errors)
            finally:
                for task in callers:
                    task.cancel()
            if errors:
                raise errors[0]

        return self.background.stream(work)


async def _done(callers: Sequence[asyncio.Task[None]], errors: Sequence[BaseException]) -> None:
    """Until all callers are done; that they still wait behind an error is told once."""
    pending, told = set(callers), False
    while pending:
        done, pending = await asyncio.wait(pending, timeout=PATIENCE)
        if errors and pending and not done and not told:
            print(f"{errors[0]}\ncalls under way, which count and are waited for: {len(pending)}; Ctrl-C leaves them out", file=sys.stderr)
            told = True
