"""Strings that end a completion: sent, and kept in the text by every server, whether it leaves them in, leaves them out or goes on."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError
from adjudge_arithmetic.tokenizer import build_tokenizer
from adjudge_cache import Cache
from adjudge_cache.session import CachedSession
from adjudge_engines import OpenAiEngine
from adjudge_engines.openai_responses import read_answer
from adjudge_engines.openai_stops import cut_at
from adjudge_engines.texts import Texts

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")


def answer(text: str, ended: str = "stop", logprobs: Any = None, **choice: Any) -> str:
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": ended, "logprobs": logprobs, **choice}]})


def rows(*written: str) -> dict[str, Any]:
    return {"content": [{"token": one, "bytes": list(one.encode()), "logprob": -0.5} for one in written]}


@pytest.mark.parametrize(
    ("body", "text", "truncated"),
    [
        (answer("It is [[A", stop_reason="]]"), "It is [[A]]", False),
        (answer("It is [[A", stopping_word="]]"), "It is [[A]]", False),
        (answer("It is [[A", matched_stop="]]"), "It is [[A]]", False),
        (answer("It is [[A]]", stop_reason="]]"), "It is [[A]]", False),
        (answer("It is [[A]]\nBut then [[B]]"), "It is [[A]]", False),
        (answer("It is [[A]] and so on", "length"), "It is [[A]]", False),
        (answer("It is [[A", stop_reason=151645), "It is [[A", False),
        (answer("It is [[A", stop_reason="another"), "It is [[A", False),
        (answer("It is", "length"), "It is", True),
        (answer("<think>[[A]] or [[B]]?</think>So [[B", stop_reason="]]"), "<think>[[A]] or [[B]]?</think>So [[B]]", False),
        (answer("<think>[[A]] or", "length"), "<think>[[A]] or", True),
    ],
)
def test_a_text_ends_with_the_string_that_ended_it(body: str, text: str, truncated: bool) -> None:
    assert read_answer(body, stops=("]]", "VERDICT")) == Completion(text, truncated=truncated)


def test_tokens_end_with_the_string_although_the_last_one_writes_more() -> None:
    one = read_answer(answer("[[A", logprobs=rows("[[", "A", "]]\n\n"), stop_reason="]]"), stops=("]]",))
    assert (one.text, one.token_ends, one.logprobs) == ("[[A]]", (2, 3, 5), (-0.5,) * 3)
    one = read_answer(answer("[[A]] so", logprobs=rows("[[", "A", "]] ", "so", "<|end|>")), stops=("]]",))
    assert (one.text, one.token_ends, one.logprobs) == ("[[A]]", (2, 3, 5), (-0.5,) * 3)


def test_exact_tokens_end_with_the_string_too() -> None:
    texts = Texts(build_tokenizer(), ends_of_turn=None, context=None)
    ids = texts.tokenizer("37+48=85 so", add_special_tokens=False)["input_ids"]
    one = read_answer(answer("37+48=8", token_ids=ids[: len(ids) - 3], stop_reason="5"), texts, stops=("5",))
    assert one.text == "37+48=85"
    assert one.token_ends[-1] == len(one.text)
    assert one.token_ids == tuple(ids[: len(one.token_ids)])


@given(st.text("ab]x", max_size=12), st.lists(st.text("ab]", min_size=1, max_size=3), max_size=3))
def test_a_completion_is_cut_at_the_first_end_of_a_string_and_keeps_its_tokens_in_step(text: str, stops: list[str]) -> None:
    whole = Completion(text, tuple(range(len(text))), tuple(range(1, len(text) + 1)), (-0.5,) * len(text))
    cut = cut_at(whole, stops)
    assert text.startswith(cut.text)
    assert len(cut.token_ids) == len(cut.token_ends) == len(cut.logprobs or ()) == len(cut.text)
    if cut.text != text:
        assert any(cut.text.endswith(stop) for stop in stops)
    for stop in stops:
        assert stop not in cut.text[:-1], "it would have ended there"


# What is sent -----------------------------------------------------------------------------------------------------------------


def asked(endpoint: Any, stop: tuple[str, ...], owner: str | None = None, **options: Any) -> dict[str, Any]:
    """The body of the first chat that is sent."""
    endpoint.requests.clear()
    models = endpoint.Reply(json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}] if owner else []}))
    endpoint.behave = lambda request: models if request.path.endswith("/models") else endpoint.chat("[[A", choice={"stop_reason": "]]"})
    prompts: Any = [[{"role": "user", "content": "x"}]]
    with OpenAiEngine(**{"base_url": endpoint.url, "model": "m", **options}).open(FilePath("x")) as session:
        more: dict[str, Any] = {"stop": stop} if stop else {}
        [(_, one)] = session.sample(prompts, seeds=[1], temperature=1.0, top_p=1.0, max_new_tokens=9, **more)
        list(session.sample(prompts, seeds=[1], temperature=1.0, top_p=1.0, max_new_tokens=9, **more))
    assert one.text == ("[[A]]" if "]]" in stop else "[[A")
    assert sum(request.path.endswith("/models") for request in endpoint.requests) <= 1, "it is asked once who it is"
    sent: dict[str, Any] = next(request.body for request in endpoint.requests if request.path.endswith("/chat/completions"))
    return sent


def test_strings_are_sent_and_vllm_is_told_to_leave_them_in(endpoint: Any) -> None:
    assert asked(endpoint, ("]]",), "vllm")["stop"] == ["]]"]
    assert asked(endpoint, ("]]",), "vllm")["include_stop_str_in_output"] is True
    assert "include_stop_str_in_output" not in asked(endpoint, ("]]",), "llamacpp")
    assert "include_stop_str_in_output" not in asked(endpoint, ("]]",))


def test_without_strings_nothing_is_sent_of_them(endpoint: Any) -> None:
    sent = asked(endpoint, (), "vllm")
    assert "stop" not in sent
    assert "include_stop_str_in_output" not in sent
    assert not any(request.path.endswith("/models") for request in endpoint.requests)


def test_an_endpoint_that_takes_none_gets_none(endpoint: Any) -> None:
    assert "stop" not in asked(endpoint, ("]]",), "vllm", leave_out=["stop"])


def test_more_strings_than_openai_takes_are_told_before_anything_is_sent() -> None:
    prompts: Any = [[{"role": "user", "content": "x"}]]
    engine = OpenAiEngine(base_url="https://api.openai.com/v1", model="m")
    with engine.open(FilePath("x")) as session, pytest.raises(ConfigError, match=r"at 4 strings at most, and there are 5"):
        session.sample(prompts, seeds=[1], temperature=1.0, top_p=1.0, max_new_tokens=9, stop=tuple("abcde"))


def test_the_cache_knows_what_ended_a_completion(endpoint: Any, tmp_path: FilePath) -> None:
    endpoint.behave = lambda request: (
        endpoint.Reply(status=404) if request.path.endswith("/models") else endpoint.chat(" ".join(request.body.get("stop", ["none"])))
    )
    prompts: Any = [[{"role": "user", "content": "x"}]]
    settings: dict[str, Any] = {"seeds": [1], "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 9}
    with OpenAiEngine(base_url=endpoint.url, model="m").open(FilePath("x")) as session:
        cached = CachedSession(Cache(tmp_path / "c.sqlite"), "source", lambda: session)
        texts = [next(cached.sample(prompts, **settings, **more))[1].text for more in ({}, {"stop": ("a",)}, {"stop": ("b",)}, {})]
    assert texts == ["none", "a", "b", "none"]
    assert cached.known == 1
