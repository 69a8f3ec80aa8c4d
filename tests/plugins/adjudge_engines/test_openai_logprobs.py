"""Log-probabilities of an endpoint are kept where they are the model's own at temperature 1, and left out where they are not."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Completion
from adjudge_engines import OpenAiEngine
from adjudge_engines.openai_logprobs import Kind, compare

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
MODEL = {"yes": 2.0, "no": 1.2, "maybe": 0.1, "so": -1.0, "or": -3.0, "if": -4.0}
"""Logits of the one token that this model writes."""


def distribution(temperature: float, top_p: float) -> dict[str, float]:
    """Log-probabilities of what is sampled from."""
    weights = {token: math.exp(logit / temperature) for token, logit in MODEL.items()}
    total, kept, mass = sum(weights.values()), dict[str, float](), 0.0
    for token, weight in sorted(weights.items(), key=lambda item: -item[1]):
        if mass < top_p:
            kept[token], mass = weight / total, mass + weight / total
    return {token: math.log(share / mass) for token, share in kept.items()}


def answering(endpoint: Any, *, processed: bool, listed: bool = True, token: str = "no", echo: float | None = None) -> Callable[[Any], Any]:
    """A server that writes one token and tells log-probabilities of one kind; `echo` is what it tells of a given token."""

    def behave(request: Any) -> Any:
        if request.path.endswith("/v1/completions"):
            values = [None, *[echo] * (len(request.body["prompt"]) - 1)]
            return endpoint.Reply(json.dumps({"choices": [{"text": "", "logprobs": {"token_logprobs": values}}]}))
        settings = (request.body["temperature"], request.body["top_p"]) if processed else (1.0, 1.0)
        told = distribution(*settings)
        written = token if token in told else max(told, key=lambda one: told[one])
        row: dict[str, Any] = {"token": written, "bytes": list(written.encode()), "logprob": told[written]}
        if listed and "top_logprobs" in request.body:
            best = sorted(told.items(), key=lambda item: -item[1])[: request.body["top_logprobs"]]
            row["top_logprobs"] = [{"token": one, "bytes": list(one.encode()), "logprob": value} for one, value in best]
        return endpoint.chat(written, choice={"logprobs": {"content": [row]}})

    return behave


def sampled(endpoint: Any, temperature: float, top_p: float, size: int = 1, **options: Any) -> list[Completion]:
    engine = OpenAiEngine(**{"base_url": endpoint.url, "model": "m", "first_wait": 0.0, "concurrency": 4, **options})
    prompts: Any = [[{"role": "user", "content": "37+48"}]] * size
    with engine.open(FilePath("x")) as session:
        found = dict(session.sample(prompts, seeds=range(size), temperature=temperature, top_p=top_p, max_new_tokens=9))
    return [found[index] for index in range(size)]


@pytest.mark.parametrize(("temperature", "top_p"), [(0.5, 0.5), (0.6, 0.95), (0.5, 1.0), (1.0, 0.8), (1.6, 1.0)])
def test_those_of_the_truncated_distribution_are_left_out_and_told_once(
    endpoint: Any, capsys: pytest.CaptureFixture[str], temperature: float, top_p: float
) -> None:
    endpoint.behave = answering(endpoint, processed=True)
    found = sampled(endpoint, temperature, top_p, size=20)
    assert all(one.text and one.logprobs is None and one.error is None for one in found)
    assert len(endpoint.requests) == 20 + 2
    said = capsys.readouterr().err
    assert said.count("those of the distribution that was sampled from") == 1
    assert "--logprobs-mode raw_logprobs" in said


@pytest.mark.parametrize(("temperature", "top_p"), [(0.5, 0.5), (0.6, 0.95), (1.0, 0.8), (0.0, 1.0)])
def test_the_models_own_are_kept(endpoint: Any, capsys: pytest.CaptureFixture[str], temperature: float, top_p: float) -> None:
    endpoint.behave = answering(endpoint, processed=False)
    found = sampled(endpoint, temperature, top_p, size=20)
    assert {one.logprobs for one in found} == {(round(distribution(1.0, 1.0)["no"], 7),)}
    assert len(endpoint.requests) == 20 + 2
    assert capsys.readouterr().err == ""


def test_where_sampling_changes_nothing_nothing_is_asked(endpoint: Any) -> None:
    endpoint.behave = answering(endpoint, processed=True)
    [one] = sampled(endpoint, 1.0, 1.0)
    assert one.logprobs is not None
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_tells_no_candidates_is_asked_about_the_token_that_it_takes(endpoint: Any) -> None:
    endpoint.behave = answering(endpoint, processed=True, listed=False)
    assert sampled(endpoint, 0.5, 0.5)[0].logprobs is None
    endpoint.behave = answering(endpoint, processed=False, listed=False)
    assert sampled(endpoint, 0.5, 0.5)[0].logprobs is not None


def test_what_cannot_be_found_out_is_left_out_and_told(endpoint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def behave(request: Any) -> Any:
        if request.body["max_tokens"] == 1:
            return endpoint.Reply(json.dumps({"error": {"message": "max_tokens is too small"}}), status=400)
        return answering(endpoint, processed=True)(request)

    endpoint.behave = behave
    assert all(one.logprobs is None for one in sampled(endpoint, 0.5, 0.5, size=8, concurrency=1))
    assert capsys.readouterr().err.count("could not be found out") == 1
    assert len(endpoint.requests) <= 8 + 3, "after a few tries it is not asked again"


@pytest.mark.parametrize("processed", [True, False])
def test_with_a_tokenizer_the_echo_of_the_same_tokens_tells(endpoint: Any, embedded: FilePath, processed: bool) -> None:
    """As on vLLM, whose ``prompt_logprobs`` stay raw in every mode."""
    raw = -1.25
    chat = answering(endpoint, processed=False, echo=raw)

    def behave(request: Any) -> Any:
        if not request.path.endswith("/chat/completions"):
            return chat(request)
        if "top_logprobs" in request.body:
            return endpoint.Reply(json.dumps({"error": {"message": "unsupported"}}), status=400)
        rows = [{"token": "", "bytes": None, "logprob": 0.0 if processed else raw + 0.01}] * len(ids)
        return endpoint.chat("37+48=85", choice={"token_ids": ids, "logprobs": {"content": rows}})

    with OpenAiEngine(base_url=endpoint.url, model="m", tokenizer=embedded).open(embedded) as session:
        ids = list(session.tokenize("37+48=85").token_ids)
        endpoint.behave = behave
        prompts: Any = [[{"role": "user", "content": "37+48"}]]
        [(_, one)] = session.sample(prompts, seeds=[0], temperature=0.5, top_p=0.5, max_new_tokens=20)
        [scored] = session.logprobs(prompts[0], [ids])
    assert one.token_ids == tuple(ids)
    assert one.logprobs == (None if processed else (raw + 0.01,) * len(ids))
    assert scored == [raw] * len(ids), "and so do scores of given tokens"


def test_a_server_with_another_chat_template_than_the_tokenizers_is_told(
    endpoint: Any, embedded: FilePath, capsys: pytest.CaptureFixture[str]
) -> None:
    own = answering(endpoint, processed=False, token="no", echo=-9.0)

    def behave(request: Any) -> Any:
        if request.path.endswith("/chat/completions") and "top_logprobs" not in request.body:
            rows = [{"token": "", "bytes": None, "logprob": -0.5}] * len(ids)
            return endpoint.chat("37+48=85", choice={"token_ids": ids, "logprobs": {"content": rows}})
        return own(request)

    with OpenAiEngine(base_url=endpoint.url, model="m", tokenizer=embedded).open(embedded) as session:
        ids = list(session.tokenize("37+48=85").token_ids)
        endpoint.behave = behave
        prompts: Any = [[{"role": "user", "content": "37+48"}]]
        [(_, one)] = session.sample(prompts, seeds=[0], temperature=0.5, top_p=0.5, max_new_tokens=20)
    assert one.logprobs is not None
    assert "samples behind another prompt than engine.tokenizer writes" in capsys.readouterr().err


def test_paths_of_many_prompts_are_asked_for_together(endpoint: Any, embedded: FilePath) -> None:
    """As many at a time as the options say, though each prompt has one or two; a prompt is told once all of its paths are."""

    def behave(request: Any) -> Any:
        values = [None, *(-0.001 * token for token in request.body["prompt"][1:])]
        return endpoint.Reply(json.dumps({"choices": [{"text": "", "logprobs": {"token_logprobs": values}}]}), delay=0.05)

    endpoint.behave = behave
    prompts: list[Any] = [([{"role": "user", "content": str(number)}], [[5, 6 + number], [], [7]][number % 2 :]) for number in range(8)]
    with OpenAiEngine(base_url=endpoint.url, model="m", tokenizer=embedded, concurrency=5).open(embedded) as session:
        found = dict(session.logprobs_each([*prompts, ([{"role": "user", "content": "none"}], [])]))  # type: ignore[attr-defined]
    expected = {number: [[-0.001 * token for token in path] for path in paths] for number, (_, paths) in enumerate(prompts)}
    assert found == {**{number: [pytest.approx(row) for row in rows] for number, rows in expected.items()}, 8: []}
    assert (len(endpoint.requests), endpoint.most) == (12, 5)


@pytest.mark.parametrize(
    ("pairs", "kind"),
    [
        ([], Kind.UNKNOWN),
        ([(-0.001, -0.002)], Kind.UNKNOWN),
        ([(0.0, -1.3)], Kind.PROCESSED),
        ([(-1.28, -1.3), (-20.4, -20.0)], Kind.RAW),
        ([(-math.inf, -2.0), (-0.9, -0.9)], Kind.PROCESSED),
        ([(-0.4, -0.9), (-3.1, -2.4), (-8.9, -6.0)], Kind.PROCESSED),
    ],
)
def test_what_pairs_of_log_probabilities_say(pairs: list[tuple[float, float]], kind: Kind) -> None:
    assert compare(pairs).kind is kind
