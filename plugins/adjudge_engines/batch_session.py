"""The session of the `batch` engine: answers from results that were downloaded, and requests for what they do not answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from adjudge import Completion, ConfigError, Message, stable_id, write_whole

from .batch import BatchWritten, body_in, status_of
from .openai_options import OpenAiEngine
from .openai_refusals import read_refusal
from .openai_requests import Chat, chats, json_of, shaped
from .openai_responses import Fault, read_answer
from .openai_tokenizer import opens_thinking, texts_of

MOST_LINES, MOST_BYTES = 50_000, 200 * 10**6
"""Of one file of OpenAI's; others take as many or more."""
URLS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}


class BatchSession:
    """Knows what the results answer; a request is named by all that it asks, so results of another prompt or setting are never its own."""

    def __init__(self, options: OpenAiEngine, requests: FilePath | None, results: Mapping[str, dict[str, Any]]) -> None:
        self.options, self.requests, self.results = options, requests, results
        self.texts = None if options.tokenizer is None else texts_of(options.tokenizer)
        self.opened = opens_thinking(options, self.texts)

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:  # fmt: skip
        asked = chats(
            self.options, prompts, seeds=seeds, tokenizer=None if self.texts is None else self.texts.tokenizer,
            more={} if self.texts is None else {"return_token_ids": True},
            temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, stop=stop,
        )  # fmt: skip
        missing: dict[str, dict[str, Any]] = {}
        for index, chat in enumerate(asked):
            body = json_of(self.options, chat)
            ident = stable_id(body)
            if (row := self.results.get(ident)) is not None:
                yield index, self._read(row, chat)
            elif self.requests is None:
                yield index, Completion("", error="no result is known of this request")
            else:
                missing[ident] = {"custom_id": ident, "method": "POST", "url": URLS[self.options.api], "body": body}
        if missing:
            assert self.requests is not None
            self._write(self.requests, list(missing.values()))

    def _read(self, row: dict[str, Any], chat: Chat) -> Completion:
        """The completion of a result, by the rules of the engine `openai`."""
        status, body = status_of(row), body_in(row)
        if status != 200:
            told = " ".join(read_refusal(status, body).told.split())[:300]
            return Completion("", error=f"refused with status {status}: {told}" if status else f"not answered in the batch: {told}")
        try:
            made = read_answer(body, self.texts, stops=chat.stop, opened=self.opened)
        except Fault as fault:
            return Completion("", error=str(fault))
        return replace(made, logprobs=None) if shaped(self.options, chat) else made  # of which kind they are cannot be asked any more

    def _write(self, file: FilePath, rows: list[dict[str, Any]]) -> None:
        """Write the requests, and end."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(file, text)
        if len(rows) > MOST_LINES or len(text.encode()) > MOST_BYTES:
            print(
                f"{file} is larger than OpenAI takes ({MOST_LINES} lines, 200 MB): split it by lines; results may be many files",
                file=sys.stderr,
            )
        known = f"; {len(self.results)} results are known" if self.results else ""
        raise BatchWritten(
            f"{len(rows)} requests are written to {file}{known}, and nothing was asked.\n"
            "  Next: upload the file as a batch, and make the same call with --batch-results (or engine.results) and what it returns."
        )

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise ConfigError("engine: a batch scores no given tokens.\n  Remedy: take the engine hf or vllm with the weights.")

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        if self.texts is None:
            raise ConfigError(
                "engine.engine.tokenizer: tokens are known only with the served model's tokenizer.\n  Remedy: name its folder."
            )
        return self.texts.tokenize(text, token_ids)
