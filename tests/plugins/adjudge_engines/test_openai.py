"""The `openai` engine against a loopback endpoint: what is sent, how answers become completions, and what is refused at once."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Completion, ConfigError, Engine, JobError, Message, Plugins, Run, RunConfig, Session, validate
from adjudge.testing import check_component
from adjudge_cache import Cache
from adjudge_cache.session import CachedSession
from adjudge_cache.source import source_of
from adjudge_engines import OpenAiEngine
from adjudge_engines.texts import Texts

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
QUICK = {"first_wait": 0.0, "longest_wait": 2.0, "tries": 3}
KEY = "sk-never-to-be-seen-0123456789"


def turns(*texts: str) -> list[list[Message]]:
    return [[{"role": "user", "content": text}] for text in texts]


@contextmanager
def opened(endpoint: Any, folder: FilePath = FilePath("anything"), **options: Any) -> Iterator[Session]:
    with OpenAiEngine(**{"base_url": endpoint.url, "model": "judge", **QUICK, **options}).open(folder) as session:
        yield session


def ask(session: Session, *texts: str, seeds: list[int] | None = None, **settings: Any) -> list[Completion]:
    settings = {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 50, **settings}
    found = dict(session.sample(turns(*texts), seeds=seeds or list(range(len(texts))), **settings))
    return [found[index] for index in range(len(texts))]


# What is sent ---------------------------------------------------------------------------------------------------------------


def test_a_request_says_all_that_the_judge_says(endpoint: Any) -> None:
    with opened(endpoint, extra={"reasoning_effort": "high"}) as session:
        ask(session, "one", "two", seeds=[5, 2**62 + 9])
    sent = sorted((request.body for request in endpoint.requests), key=lambda body: body["messages"][0]["content"])
    assert [request.path for request in endpoint.requests] == ["/v1/chat/completions"] * 2
    assert sent[0] == {
        "model": "judge", "messages": [{"role": "user", "content": "one"}], "n": 1, "seed": 5, "temperature": 0.7, "top_p": 0.9,
        "max_tokens": 50, "logprobs": True, "reasoning_effort": "high",
    }  # fmt: skip
    assert sent[1]["seed"] == 9, "small enough for every server, and still the prompt's own"


def test_settings_that_an_endpoint_refuses_can_be_left_out_or_renamed(endpoint: Any) -> None:
    with opened(endpoint, logprobs=False, limit="max_completion_tokens", leave_out=["seed", "temperature", "top_p"]) as session:
        ask(session, "one")
    assert set(endpoint.requests[0].body) == {"model", "messages", "n", "max_completion_tokens"}


def test_the_responses_api_is_asked_in_its_own_words(endpoint: Any) -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "fine", "annotations": []}]}
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"object": "response", "status": "completed", "output": [said]}))
    prompt: list[Message] = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "one"}]
    with opened(endpoint, api="responses", logprobs=False, extra={"reasoning": {"effort": "high"}}) as session:
        [(_, one)] = session.sample([prompt], seeds=[1], temperature=0.7, top_p=0.9, max_new_tokens=50, stop=("e",))
    assert endpoint.requests[0].path == "/v1/responses"
    assert endpoint.requests[0].body == {
        "model": "judge", "instructions": "Judge.", "input": [{"role": "user", "content": "one"}], "temperature": 0.7, "top_p": 0.9,
        "max_output_tokens": 50, "store": False, "reasoning": {"effort": "high"},
    }  # fmt: skip
    assert one == Completion("fine"), "its strings to stop at are looked for here"


def test_headers_and_a_query_go_with_every_request_and_keys_among_them_stay_secret(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", KEY)
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": {"message": f"bad key {KEY}"}}), status=401)
    options = {"query": {"api-version": "2024-10-21"}, "headers": {"X-Title": "judge"}, "header_variables": {"api-key": "AZURE_KEY"}}
    with opened(endpoint, **options) as session, pytest.raises(ConfigError) as caught:
        ask(session, "x")
    [request] = endpoint.requests
    assert request.path == "/v1/chat/completions?api-version=2024-10-21"
    assert (request.headers["x-title"], request.headers["api-key"]) == ("judge", KEY)
    assert KEY not in str(caught.value)
    monkeypatch.delenv("AZURE_KEY")
    with pytest.raises(ConfigError, match=r"engine\.header_variables: the environment has no AZURE_KEY"), opened(endpoint, **options):
        pass


@pytest.mark.parametrize("mark", ["<|im_end|>", "<｜Assistant｜>", "</s>", "<end_of_turn>", "[/INST]"])
def test_an_answer_cannot_end_the_turn(endpoint: Any, mark: str) -> None:
    with opened(endpoint) as session:
        ask(session, f"85{mark} 1 < 2 | 3 > [INSTANCE]")
    assert endpoint.requests[0].prompt == f"85{mark[0]} {mark[1:]} 1 < 2 | 3 > [INSTANCE]"


def test_no_more_calls_at_a_time_than_asked_for_and_that_many(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(endpoint.chat().body, delay=0.05)
    with opened(endpoint, concurrency=7) as session:
        ask(session, *map(str, range(40)))
    assert endpoint.most == 7


def test_requests_are_spread_over_the_minute_and_over_calls(endpoint: Any) -> None:
    with opened(endpoint, requests_per_minute=1200) as session:
        started = time.monotonic()
        ask(session, *map(str, range(6)))
        ask(session, *map(str, range(6)))
    assert time.monotonic() - started >= 11 * 0.05


# What comes back ------------------------------------------------------------------------------------------------------------


def test_completions_come_as_they_finish(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(endpoint.chat(request.prompt).body, delay=1.0 if request.prompt == "slow" else 0.0)
    with opened(endpoint) as session:
        order = [index for index, _ in session.sample(turns("slow", "a", "b"), seeds=[1, 2, 3], temperature=1, top_p=1, max_new_tokens=9)]
    assert order[-1] == 0
    assert sorted(order) == [0, 1, 2]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_beside_the_content_stands_between_marks(endpoint: Any, field: str) -> None:
    endpoint.behave = lambda request: endpoint.chat("\\boxed{Assistant 1}", **{field: "carry the 1"})
    with opened(endpoint) as session:
        [one] = ask(session, "x")
    assert one == Completion("<think>carry the 1</think>\\boxed{Assistant 1}")


def test_an_endpoint_without_logprobs_gives_none(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.chat("fine", choice={"logprobs": None})
    with opened(endpoint) as session:
        assert ask(session, "x") == [Completion("fine")]


def test_what_ended_an_answer_is_what_becomes_of_it(endpoint: Any) -> None:
    said = {"cut": "length", "filtered": "content_filter", "odd": "abort"}
    endpoint.behave = lambda request: endpoint.chat("half an", ended=said[request.prompt])
    with opened(endpoint) as session:
        cut, filtered, odd = ask(session, *said)
    assert (cut.text, cut.truncated, cut.error) == ("half an", True, None)
    assert (filtered.text, filtered.error) == ("", "the endpoint's content filter stopped the answer")
    assert odd.error is not None
    assert "'abort'" in odd.error
    assert [request.prompt for request in endpoint.requests].count("odd") == 3
    assert [request.prompt for request in endpoint.requests].count("filtered") == 1, "asked again it would be filtered again"


# Retries --------------------------------------------------------------------------------------------------------------------


def after(endpoint: Any, fault: Any, times: int = 1) -> Any:
    """Behaviour: so many faults, then an answer."""
    return lambda request: fault if len(endpoint.requests) <= times else endpoint.chat("at last")


def test_retry_after_is_waited_for(endpoint: Any) -> None:
    endpoint.behave = after(endpoint, endpoint.Reply(status=429, headers={"retry-after": "1"}))
    with opened(endpoint) as session:
        started = time.monotonic()
        assert ask(session, "x")[0].text == "at last"
    assert time.monotonic() - started >= 1.0


def test_everybody_waits_where_one_was_told_to(endpoint: Any) -> None:
    began: dict[str, float] = {}

    def behave(request: Any) -> Any:
        first = request.prompt not in began
        began.setdefault(request.prompt, time.monotonic())
        if request.prompt == "busy" and first:
            return endpoint.Reply(status=429, headers={"retry-after": "1"})
        return endpoint.Reply(endpoint.chat().body, delay=0.2)

    endpoint.behave = behave
    with opened(endpoint, concurrency=2) as session:
        ask(session, "busy", "beside", "next")
    assert began["beside"] - began["busy"] < 0.9
    assert began["next"] - began["busy"] >= 1.0


def test_an_endpoint_that_asks_for_too_long_a_wait_fails_the_call(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(status=429, headers={"retry-after": "3600"})
    with opened(endpoint) as session:
        [one] = ask(session, "x")
    assert one.error is not None
    assert "to wait 3600 s, longer than engine.longest_wait" in one.error
    assert len(endpoint.requests) == 1


def test_the_last_reason_is_told(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": {"message": "boiler on fire"}}), status=503)
    with opened(endpoint) as session:
        assert ask(session, "x") == [Completion("", error="status 503: boiler on fire")]
    assert len(endpoint.requests) == 3


def test_half_a_character_in_a_reason_can_be_recorded(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply('{"error": {"message": "bad \\ud83d"}}', status=500)
    with opened(endpoint) as session:
        [one] = ask(session, "x")
    assert str(one.error).encode() == b"status 500: bad ?"


def test_an_endpoint_that_is_down_is_not_asked_ten_thousand_times(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(status=500)
    with opened(endpoint, give_up_after=5, concurrency=2) as session:
        found = ask(session, *map(str, range(10_000)))
        assert len(endpoint.requests) <= (5 + 2) * 3
        assert all(one.error for one in found)
        assert "not asked: " in str(found[-1].error)
        endpoint.behave = lambda request: endpoint.chat()
        assert ask(session, "x")[0].text == "fine", "the next batch is asked again"


def test_only_failures_one_after_the_other_end_the_asking(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(status=500) if int(request.prompt) % 2 else endpoint.chat()
    with opened(endpoint, concurrency=1, tries=1, give_up_after=2) as session:
        found = ask(session, *map(str, range(8)))
    assert [one.error is None for one in found] == [True, False] * 4
    assert not any("not asked" in str(one.error) for one in found)


def test_nobody_there_is_a_failed_call(endpoint: Any) -> None:
    endpoint.close()
    with opened(endpoint) as session:
        [one] = ask(session, "x")
    assert one.error is not None
    assert one.error.startswith("no connection: ")


# The user's mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "name its environment variable"), (404, "'judge' is served there"), (400, "engine.leave_out"), (403, "may not use this model")],
)
def test_a_mistake_of_the_user_ends_the_job_at_once(endpoint: Any, status: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": {"message": "no, not so"}}), status=status)
    with opened(endpoint, concurrency=3) as session, pytest.raises(ConfigError, match=message) as caught:
        ask(session, *map(str, range(1000)))
    assert "no, not so" in str(caught.value)
    assert len(endpoint.requests) <= 3 + 1, "those under way, and a harmless prompt where it cannot be told otherwise"


def test_what_was_answered_before_a_mistake_is_not_lost(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(status=401) if request.prompt == "5" else endpoint.chat(request.prompt)
    found: list[tuple[int, Completion]] = []
    with opened(endpoint, concurrency=1) as session, pytest.raises(ConfigError):
        found.extend(session.sample(turns(*"0123456789"), seeds=range(10), temperature=1, top_p=1, max_new_tokens=9))
    assert [(index, one.text) for index, one in found] == [(number, str(number)) for number in range(5)]


def test_a_refusal_after_an_answer_is_about_its_own_prompt(endpoint: Any) -> None:
    long = endpoint.Reply(json.dumps({"error": {"message": "the prompt is too long"}}), status=400)
    endpoint.behave = lambda request: long if request.prompt == "long" else endpoint.chat()
    with opened(endpoint, concurrency=1, give_up_after=1) as session:
        first, *rest, last = ask(session, "a", "long", "long", "b")
    assert (first.text, last.text) == ("fine", "fine")
    assert [one.error for one in rest] == ["refused with status 400: the prompt is too long"] * 2
    assert len(endpoint.requests) == 4


def test_an_empty_account_is_not_busy(endpoint: Any) -> None:
    body = json.dumps({"error": {"message": "quota exceeded", "code": "insufficient_quota"}})
    endpoint.behave = lambda request: endpoint.Reply(body, status=429)
    with opened(endpoint) as session, pytest.raises(ConfigError, match="has no quota left"):
        ask(session, "x")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": f"https://user:{KEY}@host/v1"},
        {"base_url": f"https://host/v1?key={KEY}"},
        {"base_url": "host:8000/v1"},
        {"base_url": "file:///etc/passwd"},
        {"extra": {"n": 4}},
        {"extra": {"stop": ["x"]}},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"headers": {"api-key": KEY}},
        {"query": {"key": KEY}},
        {"extra": {"stream": True}},
        {"extra": {"skip_special_tokens": False}, "tokenizer": "anywhere"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], plugins: Plugins) -> None:
    data = {"use": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m", **options}
    run = {"out": "x", "model": "m", "data": {"use": "arithmetic"}, "stages": [], "engine": data}
    with pytest.raises(ConfigError, match="engine") as caught:
        validate(RunConfig, run, plugins, "run.yaml")
    assert KEY not in str(caught.value)


def test_training_is_not_measured_by_somebody_elses_model(plugins: Plugins, tmp_path: FilePath) -> None:
    engine = {"use": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    run = {"out": tmp_path, "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic"}, "engine": engine}
    Run(validate(RunConfig, {**run, "stages": []}, plugins, "run.yaml"), plugins)
    with pytest.raises(ConfigError, match="'openai' is answered by a model of its own"):
        Run(validate(RunConfig, {**run, "stages": [{"use": "grpo"}]}, plugins, "run.yaml"), plugins)


# Keys -----------------------------------------------------------------------------------------------------------------------


def bearer(endpoint: Any) -> set[str]:
    return {request.headers["authorization"].removeprefix("Bearer ") for request in endpoint.requests}


def test_the_key_comes_from_the_environment_variable_that_is_named(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANOTHER", KEY[::-1])
    with opened(endpoint) as session:
        ask(session, "x")
    assert bearer(endpoint) == {KEY}
    endpoint.requests.clear()
    with opened(endpoint, key_variable="ANOTHER") as session:
        ask(session, "x")
    assert bearer(endpoint) == {KEY[::-1]}


def test_a_key_is_not_sent_in_plain_text_to_another_machine_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    options = {"model": "m", "base_url": "http://gpu-7.cluster:8000/v1"}
    assert OpenAiEngine(**options).key() is None
    assert OpenAiEngine(**options, key_variable="OPENAI_API_KEY").key() == KEY
    assert OpenAiEngine(**{**options, "base_url": "https://gpu-7.cluster/v1"}).key() == KEY


@pytest.mark.parametrize("value", ["", "two words " + KEY, KEY + "\nX-Other: 1", KEY + "ü"])
def test_a_key_that_cannot_be_is_told_without_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MINE", value)
    with pytest.raises(ConfigError, match="MINE") as caught:
        OpenAiEngine(base_url="https://host/v1", model="m", key_variable="MINE").key()
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [401, 429, 200])
def test_an_endpoint_that_repeats_the_key_cannot_make_it_known(endpoint: Any, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said = endpoint.chat(f"your key is {KEY}").body if status == 200 else json.dumps({"error": {"message": f"bad key {KEY}"}})
    endpoint.behave = lambda request: endpoint.Reply(said, status=status)
    with opened(endpoint) as session:
        try:
            told = repr(ask(session, "x"))
        except ConfigError as error:
            told = str(error)
    assert "***" in told
    assert KEY not in told


# What else an engine says -----------------------------------------------------------------------------------------------------


def test_options_are_documented_and_survive_a_file(plugins: Plugins) -> None:
    engine = OpenAiEngine(base_url="http://127.0.0.1:8000/v1/", model="m")
    check_component(engine)
    assert Engine.model_validate(engine.model_dump(mode="json"), context={"plugins": plugins}) == engine
    assert engine.base_url.endswith("/v1")


def test_a_name_is_no_weights_so_nothing_is_cached_unless_the_user_vouches_for_them(endpoint: Any, embedded: FilePath) -> None:
    options = {"base_url": endpoint.url, "model": "judge"}
    assert OpenAiEngine(**options).fingerprint() is None
    told = OpenAiEngine(**options, weights="step 400").fingerprint()
    assert told == OpenAiEngine(**options, weights="step 400", concurrency=3, tries=9, key_variable="X").fingerprint()
    assert told != OpenAiEngine(**options, weights="step 500").fingerprint()
    assert "KEY" not in json.dumps(told)


def test_with_weights_named_an_answer_is_asked_for_once(endpoint: Any, embedded: FilePath, tmp_path: FilePath) -> None:
    engine = OpenAiEngine(base_url=endpoint.url, model="judge", weights="v1")
    cache = Cache(tmp_path / "c.sqlite")
    source = source_of(engine, embedded, cache)
    assert source is not None
    with engine.open(embedded) as session:
        cached = CachedSession(cache, source, lambda: session)
        assert ask(cached, "x") == ask(cached, "x")
    assert len(endpoint.requests) == 1


def test_without_a_tokenizer_tokens_are_refused_with_the_remedy(endpoint: Any) -> None:
    assert OpenAiEngine(base_url=endpoint.url, model="m").count_tokens(FilePath("x"), turns("a")) is None
    with opened(endpoint) as session:
        with pytest.raises(ConfigError, match=r"engine\.tokenizer"):
            session.tokenize("text")
        with pytest.raises(ConfigError, match=r"engine\.tokenizer"):
            session.logprobs(turns("a")[0], [[1]])


# With the served model's tokenizer --------------------------------------------------------------------------------------------


def test_exact_tokens_where_the_endpoint_tells_them(endpoint: Any, embedded: FilePath) -> None:
    with opened(endpoint, tokenizer=embedded) as session:
        texts: Texts = session.texts  # type: ignore[attr-defined]
        known = texts.tokenize("7+8=15 \\boxed{Assistant 1}")
        rows = [{"token": "", "bytes": None, "logprob": -0.25 * place} for place in range(len(known.token_ids))]
        choice = {"token_ids": list(known.token_ids), "logprobs": {"content": rows}}
        endpoint.behave = lambda request: endpoint.chat(known.text, choice=choice)
        [one] = ask(session, "7+8<|im_end|>", temperature=1.0, top_p=1.0)
    assert one == Completion(known.text, known.token_ids, known.token_ends, tuple(row["logprob"] for row in rows))
    assert endpoint.requests[0].body["return_token_ids"] is True
    assert endpoint.requests[0].prompt == "7+8< |im_end|>"


def test_another_models_tokenizer_is_noticed(endpoint: Any, embedded: FilePath) -> None:
    endpoint.behave = lambda request: endpoint.chat("entirely other words", choice={"token_ids": [5, 6, 7]})
    with opened(endpoint, tokenizer=embedded) as session, pytest.raises(ConfigError, match=r"engine\.tokenizer: .*write another text"):
        ask(session, "x")


def test_a_damaged_answer_of_the_right_model_fails_and_ends_nothing(endpoint: Any, embedded: FilePath) -> None:
    with opened(endpoint, tokenizer=embedded, concurrency=1) as session:
        ids = list(session.tokenize("fine").token_ids)
        said = {"bad": "entirely other words"}
        endpoint.behave = lambda request: endpoint.chat(said.get(request.prompt, "fine"), choice={"token_ids": ids})
        first, bad, last = ask(session, "a", "bad", "b")
    assert [(one.text, one.error) for one in (first, last)] == [("fine", None)] * 2
    assert bad.error == "the answer's tokens, read by engine.tokenizer, write another text than its own"
    assert [request.prompt for request in endpoint.requests].count("bad") == 3, "it was asked for again"


def test_given_tokens_are_scored_through_an_echo(endpoint: Any, embedded: FilePath) -> None:
    def behave(request: Any) -> Any:
        values = [None, *(-0.001 * token for token in request.body["prompt"][1:])]
        return endpoint.Reply(json.dumps({"choices": [{"text": "", "logprobs": {"token_logprobs": values}}]}))

    endpoint.behave = behave
    with opened(endpoint, tokenizer=embedded) as session:
        found = session.logprobs(turns("37+48")[0], [[5, 6, 7], [], [9]])
        start = session.texts.to_score(turns("37+48")[0], [])  # type: ignore[attr-defined]
    assert found == [pytest.approx([-0.005, -0.006, -0.007]), [], pytest.approx([-0.009])]
    sent = sorted((request.body for request in endpoint.requests), key=lambda body: len(body["prompt"]))
    assert sent[0] == {
        "model": "judge", "prompt": [*start, 9], "echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0.0,
    }  # fmt: skip
    assert [request.path for request in endpoint.requests] == ["/v1/completions"] * 2


def test_the_most_probable_tokens_come_with_an_echo(endpoint: Any, embedded: FilePath) -> None:
    """The given token is listed beside them; an endpoint that lists none is told."""

    def behave(request: Any) -> Any:
        values = [None, *(-0.001 * token for token in request.body["prompt"][1:])]
        listed = [None, *({"a": -9.0, "given": value, "best": value / 2} for value in values[1:])]
        return endpoint.Reply(json.dumps({"choices": [{"text": "", "logprobs": {"token_logprobs": values, "top_logprobs": listed}}]}))

    endpoint.behave = behave
    with opened(endpoint, tokenizer=embedded) as session:
        found = session.logprobs(turns("37+48")[0], [[5, 6], []], statistics=["top_logprob"])  # type: ignore[call-arg]
        assert found == [{"logprob": pytest.approx([-0.005, -0.006]), "top_logprob": pytest.approx([-0.0025, -0.003])},
                         {"logprob": [], "top_logprob": []}]  # fmt: skip
        endpoint.behave = lambda request: endpoint.Reply(
            json.dumps({"choices": [{"text": "", "logprobs": {"token_logprobs": [-1.0] * len(request.body["prompt"])}}]})
        )
        with pytest.raises(ConfigError, match="lists no most probable tokens"):
            session.logprobs(turns("37+48")[0], [[5]], statistics=["top_logprob"])  # type: ignore[call-arg]


def test_an_endpoint_that_cannot_score_is_told_apart_from_one_that_is_down(endpoint: Any, embedded: FilePath) -> None:
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"choices": [{"text": "", "logprobs": None}]}))
    with opened(endpoint, tokenizer=embedded) as session:
        with pytest.raises(ConfigError, match="cannot score given tokens"):
            session.logprobs(turns("a")[0], [[5]])
        endpoint.behave = lambda request: endpoint.Reply(status=500)
        with pytest.raises(JobError, match="status 500"):
            session.logprobs(turns("a")[0], [[5]])


def test_prompts_are_counted_by_the_tokenizer_that_is_named(endpoint: Any, embedded: FilePath) -> None:
    engine = OpenAiEngine(base_url=endpoint.url, model="m", tokenizer=embedded)
    with engine.open(embedded) as session:
        start = session.texts.to_score(turns("37+48")[0], [])  # type: ignore[attr-defined]
    assert engine.count_tokens(FilePath("elsewhere"), turns("37+48")) == [len(start)]


def test_a_folder_without_tokenizer_is_told(endpoint: Any, tmp_path: FilePath) -> None:
    with pytest.raises(ConfigError, match=r"engine\.tokenizer"), opened(endpoint, tokenizer=tmp_path):
        pass
