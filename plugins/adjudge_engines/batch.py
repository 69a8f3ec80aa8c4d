"""The `batch` engine: judgements through a provider's batch files, at half the price and within a day, or through ``vllm run-batch``.

What no result is known of is written as requests, and the job ends; the same call with the results goes on from there. A line of each:
``{"custom_id": "9f86d081884c7d65", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": […]}}``
``{"custom_id": "9f86d081884c7d65", "response": {"status_code": 200, "body": {"choices": […]}}, "error": null}``
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from adjudge import Engine, JobError, Json, Judge, Message, RowError, Session, read_rows

from .limits import check_scores_given_tokens
from .openai_options import OpenAiEngine


class BatchWritten(JobError):
    """The requests are written, and there is nothing more to do until their results are here; no mistake, so the exit code is 0."""

    exit_code = 0


class BatchEngine(Engine):
    """An endpoint that is asked through files: requests are written, and results that were downloaded are read as its answers."""

    per_process: ClassVar[bool] = False
    ignores_model_folder: ClassVar[bool] = True
    statistics: ClassVar[frozenset[str]] = frozenset()
    without_effect: ClassVar[frozenset[str]] = frozenset({"requests", "results"})

    use: Literal["batch"] = "batch"
    engine: Engine
    """The engine `openai` whose requests these are; nothing is sent, so its ``base_url`` says only whose they are."""
    requests: FilePath | None = None
    """Where the requests go of which no result is known; None = they fail."""
    results: list[FilePath] = []
    """Files of results, those of errors too; an answer in one goes before an error in another."""

    @field_validator("engine")
    @classmethod
    def _of_an_endpoint(cls, engine: Engine) -> Engine:
        if not isinstance(engine, OpenAiEngine):
            raise ValueError(f"batch files are for the engine openai, and this is {engine.use!r}")
        return engine

    @model_validator(mode="after")
    def _some_file(self) -> Self:
        if self.requests is None and not self.results:
            raise ValueError("name a file in requests, in results, or both")
        return self

    def check_judge(self, judge: Judge) -> None:
        self.engine.check_judge(judge)
        check_scores_given_tokens(judge, "a batch file", "take the engine hf or vllm, or an endpoint of vLLM's with engine.tokenizer.")

    @property
    def endpoint(self) -> OpenAiEngine:
        assert isinstance(self.engine, OpenAiEngine)
        return self.engine

    def asked_whole(self) -> bool:
        return True

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        from .batch_session import BatchSession

        yield BatchSession(self.endpoint, self.requests, read_results(self.results))

    def fingerprint(self) -> Json | None:
        return self.engine.fingerprint()

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return self.engine.count_tokens(model, prompts)


def read_results(files: Sequence[FilePath]) -> dict[str, dict[str, Any]]:
    """The results by the id of their request; where there are several of one, an answer, and else the last error."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for ident, row in read_rows(file, skip_bad_lines=False, parse=_result):
            if ident not in found or status_of(found[ident]) != 200:
                found[ident] = row
    return found


def status_of(row: dict[str, Any]) -> int:
    """The status that a request was answered with; 0 where it never was."""
    response = row.get("response")
    status = response.get("status_code") if isinstance(response, dict) else None
    return status if isinstance(status, int) else 200 if isinstance(response, dict) and response.get("body") else 0


def body_in(row: dict[str, Any]) -> str:
    """What a request was answered with, as a text."""
    response = row.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    return body if isinstance(body, str) else json.dumps(body if body is not None else {"error": row.get("error")})


def _result(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ident = row.get("custom_id")
    if not isinstance(ident, str) or not ("response" in row or "error" in row):
        raise RowError("is no result of a batch: it needs a 'custom_id', and a 'response' or an 'error'")
    return ident, row
