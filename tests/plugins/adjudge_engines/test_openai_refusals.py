"""What an endpoint's refusal is about, by its words, and what becomes of the prompts before, beside and after it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError, Message, Session
from adjudge_engines import OpenAiEngine
from adjudge_engines.openai_refusals import About, about, read_refusal, refuses_system
from adjudge_engines.openai_room import room_left

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
QUICK = {"first_wait": 0.0, "longest_wait": 2.0, "tries": 3}


def error(message: str, code: Any = None, kind: str = "invalid_request_error", **more: Any) -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **more}})


SAID: list[tuple[int, str, About]] = [
    # too long: OpenAI, vLLM, llama.cpp, TGI, Anthropic, Gemini, Mistral, LiteLLM, Groq
    (400, error("This model's maximum context length is 8192 tokens.", "context_length_exceeded"), About.PROMPT),
    (400, json.dumps({"object": "error", "message": "The decoder prompt (length 5312) is longer than the maximum model length of 4096.",
                      "type": "BadRequestError", "code": 400}), About.PROMPT),
    (400, json.dumps({"error": {"code": 400, "message": "the request exceeds the available context size",
                                "type": "exceed_context_size_error"}}), About.PROMPT),
    (422, json.dumps({"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
                      "error_type": "validation"}), About.PROMPT),
    (400, error("prompt is too long: 208310 tokens > 200000 maximum", "invalid_request_error"), About.PROMPT),
    (413, error("Request exceeds the maximum size", "request_too_large"), About.PROMPT),
    (400, json.dumps([{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed"
                                 " (1048576).", "status": "INVALID_ARGUMENT"}}]), About.PROMPT),
    (400, json.dumps({"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768"
                      " maximum context length", "type": "invalid_request_prompt", "code": "3051"}), About.PROMPT),
    (400, error("litellm.ContextWindowExceededError: too many"), About.PROMPT),
    (429, error("Request too large for model on tokens per minute (TPM): Limit 6000, Requested 12000", "rate_limit_exceeded", "tokens"),
     About.PROMPT),
    (500, error("the request exceeds the available context size"), About.PROMPT),
    # filtered: Azure, OpenAI, OpenRouter, xAI, DeepSeek, DashScope
    (400, error("The response was filtered", "content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), About.PROMPT),
    (400, error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"), About.PROMPT),
    (403, json.dumps({"error": {"code": 403, "message": "m requires moderation on X. Your input was flagged for \"violence\"."}}),
     About.PROMPT),
    (403, json.dumps({"code": "permission", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}),
     About.PROMPT),
    (400, error("Content Exists Risk"), About.PROMPT),
    (400, error("Input data may contain inappropriate content.", "data_inspection_failed"), About.PROMPT),
    # the account and its key
    (402, error("Insufficient Balance"), About.ACCOUNT),
    (401, json.dumps({"message": "Unauthorized", "request_id": "x"}), About.ACCOUNT),
    (403, error("Your key may not do this", None, "permission_error"), About.ACCOUNT),
    (429, error("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"),
     About.ACCOUNT),
    (429, error("Insufficient balance or no resource package. Please recharge.", "1113"), About.UNSURE),
    (400, error("Budget has been exceeded! Current cost: 11.2, Max budget: 10.0", "400", "budget_exceeded"), About.ACCOUNT),
    (400, json.dumps([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
                                 "details": [{"reason": "API_KEY_INVALID"}]}}]), About.ACCOUNT),
    # the model and the address
    (404, json.dumps({"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}), About.MODEL),
    (400, error("The model has been decommissioned", "model_decommissioned"), About.MODEL),
    # settings: OpenAI, FastAPI, Anthropic
    (400, error("logprobs is not supported with this model", "unsupported_parameter"), About.SETTING),
    (422, json.dumps({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted",
                                  "input": "context length"}]}), About.SETTING),
    (400, error("`temperature` and `top_p` cannot both be specified for this model. Please use only one."), About.SETTING),
    (400, error("must be below 1", None, param="temperature"), About.SETTING),
    # a busy hour: Gemini's has the words of an empty account
    (429, error("Rate limit reached", "rate_limit_exceeded", "requests"), About.BUSY),
    (429, json.dumps([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota, please check"
                                 " your plan and billing details. Please retry in 13.4s."}}]), About.BUSY),
    (503, error("Model is loading", None, "overloaded"), About.BUSY),
    (502, "<html>bad gateway</html>", About.BUSY),
    (403, error("Too many requests"), About.BUSY),
    # what only another prompt can tell: the words may be the prompt's own
    (400, error("Your credit balance is too low to access the API."), About.UNSURE),
    (403, "<html>Request blocked</html>", About.UNSURE),
    (403, error("Your account was suspended for violating our usage policies."), About.UNSURE),
    (400, error("no"), About.UNSURE),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "what"), SAID)
def test_what_a_refusal_is_about_by_what_it_says(status: int, body: str, what: About) -> None:
    assert about(read_refusal(status, body)) is what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "metadata", "raw", "param", "status"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.integers(400, 599), JSON.map(json.dumps) | st.text())
def test_any_body_is_a_refusal_that_can_be_told(status: int, body: str) -> None:
    refusal = read_refusal(status, body)
    assert isinstance(about(refusal), About)
    assert isinstance(refusal.told, str)
    assert isinstance(refuses_system(refusal), bool)


def test_what_a_gateway_passes_on_is_read_too() -> None:
    raw = error("This model's maximum context length is 8192 tokens.", "context_length_exceeded")
    body = json.dumps({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "X"}}})
    assert about(read_refusal(400, body)) is About.PROMPT


@pytest.mark.parametrize(
    "said",
    [
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "System role not supported",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        'messages: Unexpected role "system".',
    ],
)
def test_endpoints_that_take_no_system_turn(said: str) -> None:
    assert refuses_system(read_refusal(400, error(said)))
    assert not refuses_system(read_refusal(401, error(said)))
    assert not refuses_system(read_refusal(400, error("This model's maximum context length is 8192 tokens.")))


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (error("logprobs is not supported with this model", "unsupported_parameter"), "engine.logprobs: false"),
        (error("seed: Extra inputs are not permitted", "extra_forbidden"), "engine.leave_out: [seed]"),
        (error("n: Extra inputs are not permitted"), "engine.leave_out: [n]"),
        (error("`temperature` and `top_p` cannot both be specified for this model."), "engine.leave_out: [top_p]"),
        (error("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
         "engine.limit: max_completion_tokens"),
        (error("Unsupported value", "unsupported_value", param="temperature"), "engine.leave_out: [temperature]"),
        (error("this is no option of mine, not supported with this model"), "see engine.logprobs, engine.limit"),
    ],
)  # fmt: skip
def test_a_setting_that_is_refused_has_its_remedy_told(endpoint: Any, body: str, remedy: str) -> None:
    endpoint.behave = lambda request: endpoint.Reply(body, status=400)
    with opened(endpoint) as session, pytest.raises(ConfigError) as caught:
        ask(session, "x")
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 8292 tokens (100 in the messages, 8192 in the"
         " completion). Please reduce the length of the messages or completion.", 3996),
        ("'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 4096 tokens and your request"
         " has 100 input tokens (8192 > 4096 - 100).", 3996),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 100 `inputs` tokens and 8192"
         " `max_new_tokens`", 3996),
        ("You passed 100 input tokens and requested 8192 output tokens. However, the model's context length is only 4096 tokens", 3996),
        ("input length and `max_tokens` exceed context limit: 100 + 8192 > 4096, decrease input length", 3996),
        ("This model's maximum context length is 4096 tokens. However, your request has 100 input tokens plus 8192 'max_tokens'.", 3996),
        ("This model's maximum context length is 4096 tokens. However, you requested 8192 output tokens and your prompt contains 100 input"
         " tokens, for a total of 8292 tokens.", 3996),
        ("This model's maximum context length is 128000 tokens. However, you requested 8192 output tokens and your prompt contains at least"
         " 119809 input tokens, for a total of at least 128001 tokens.", 4096),
        ("This model's maximum context length is 256 tokens. However, you requested 256 output tokens and your prompt contains 74"
         " characters (more than 0 characters, which is the upper bound for 0 input tokens).", 4096),
        ("max_tokens=8192 cannot be greater than max_model_len=4096. Please request fewer output tokens.", 4096),
        ("max_tokens is too large: 8192. This model supports at most 4096 completion tokens", 4096),
        ("max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for this model", 4096),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", 4096),
        ("This model's maximum context length is 4096 tokens. However, you requested 13192 tokens (5000 in the messages, 8192 in the"
         " completion).", None),
        ("This model's maximum context length is 4096 tokens. However, your messages resulted in 5312 tokens.", None),
        ("you requested 9000 tokens", None),
    ],
)  # fmt: skip
def test_the_room_that_is_left_where_a_refusal_says_it(words: str, room: int | None) -> None:
    assert room_left(words, 8192) == room


# What becomes of the others ---------------------------------------------------------------------------------------------------


@contextmanager
def opened(endpoint: Any, **options: Any) -> Iterator[Session]:
    with OpenAiEngine(**{"base_url": endpoint.url, "model": "judge", **QUICK, **options}).open(FilePath("x")) as session:
        yield session


def turns(*texts: str, system: str | None = None) -> list[list[Message]]:
    said: list[Message] = [] if system is None else [{"role": "system", "content": system}]
    return [[*said, {"role": "user", "content": text}] for text in texts]


def ask(session: Session, *texts: str, system: str | None = None, limit: int = 50) -> list[Completion]:
    found = dict(session.sample(turns(*texts, system=system), seeds=range(len(texts)), temperature=1.0, top_p=1.0, max_new_tokens=limit))
    return [found[index] for index in range(len(texts))]


@pytest.mark.parametrize(
    "refused",
    [
        (400, error("This model's maximum context length is 4096 tokens.", "context_length_exceeded")),
        (400, error("The response was filtered", "content_filter")),
        (403, "<html>Request blocked</html>"),
        (400, error("no")),
    ],
)
def test_one_refusal_that_comes_before_all_answers_fails_its_own_prompt_and_no_other(endpoint: Any, refused: tuple[int, str]) -> None:
    def behave(request: Any) -> Any:
        bad = endpoint.Reply(refused[1], status=refused[0])
        return bad if request.prompt == "bad" else endpoint.Reply(endpoint.chat(request.prompt).body, delay=0.3)

    endpoint.behave = behave
    with opened(endpoint) as session:
        found = ask(session, "a", "b", "bad", "c")
    assert [one.text for one in found] == ["a", "b", "", "c"]
    assert str(found[2].error).startswith(f"refused with status {refused[0]}: ")
    asked = [request.prompt for request in endpoint.requests]
    assert len(asked) == 5, "one harmless prompt besides"
    assert asked.count("bad") == 1


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ((402, error("Insufficient Balance")), "no quota left: status 402: Insufficient Balance"),
        ((403, error("This key was disabled")), "is not accepted|no key was sent"),
        ((400, error("Your credit balance is too low to access the API.")), "no quota left"),
        ((429, error("You exceeded your current quota", "insufficient_quota")), "no quota left"),
        ((404, error("The model does not exist", "model_not_found")), "is served there"),
        ((400, error("some words that nobody knows")), "some words that nobody knows"),
        ((403, error("Your account was suspended for violating our usage policies.")), "suspended"),
        ((429, error("Insufficient balance or no resource package. Please recharge.", "1113")), "no quota left"),
    ],
)
def test_an_account_that_ends_in_mid_run_ends_the_job_and_costs_no_more_calls(endpoint: Any, refused: tuple[int, str], told: str) -> None:
    def behave(request: Any) -> Any:
        return endpoint.chat(request.prompt) if len(endpoint.requests) <= 3 else endpoint.Reply(refused[1], status=refused[0])

    endpoint.behave = behave
    found: list[tuple[int, Completion]] = []
    with opened(endpoint, concurrency=2) as session, pytest.raises(ConfigError, match=told):
        found.extend(session.sample(turns(*map(str, range(200))), seeds=range(200), temperature=1, top_p=1, max_new_tokens=9))
    assert all(one.text == str(index) for index, one in found)
    assert len(found) == 3, "what was answered, and nothing that was not"
    assert len(endpoint.requests) <= 3 + 2 + 1


def test_after_the_end_what_is_under_way_is_waited_for_and_kept(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those calls are paid for."""
    monkeypatch.setattr("adjudge_engines.openai.PATIENCE", 0.05)

    def behave(request: Any) -> Any:
        if request.prompt == "slow":
            return endpoint.Reply(endpoint.chat("slow").body, delay=0.5)
        return endpoint.Reply(error("Insufficient Balance"), status=402, delay=0.1)

    endpoint.behave = behave
    found: list[tuple[int, Completion]] = []
    with opened(endpoint, concurrency=2) as session, pytest.raises(ConfigError, match="Insufficient Balance"):
        found.extend(session.sample(turns("slow", "a", "b"), seeds=range(3), temperature=1, top_p=1, max_new_tokens=9))
    assert [(index, one.text) for index, one in found] == [(0, "slow")]
    assert capsys.readouterr().err.count("calls under way, which count and are waited for: 1;") == 1


def test_a_call_that_would_have_been_asked_again_is_not_failed_by_the_end(endpoint: Any) -> None:
    def behave(request: Any) -> Any:
        if request.prompt == "busy":
            return endpoint.Reply(status=500, delay=0.3)
        return endpoint.Reply(error("Insufficient Balance"), status=402, delay=0.1)

    endpoint.behave = behave
    found: list[tuple[int, Completion]] = []
    with opened(endpoint, concurrency=2) as session, pytest.raises(ConfigError, match="Insufficient Balance"):
        found.extend(session.sample(turns("busy", "a", "b"), seeds=range(3), temperature=1, top_p=1, max_new_tokens=9))
    assert found == []
    assert [request.prompt for request in endpoint.requests].count("busy") == 1


def test_many_refused_prompts_share_what_was_found_out(endpoint: Any) -> None:
    odd = endpoint.Reply(error("odd"), status=400, delay=0.05)
    endpoint.behave = lambda request: odd if request.prompt.startswith("bad") else endpoint.Reply(endpoint.chat().body, delay=0.2)
    with opened(endpoint) as session:
        found = ask(session, *[f"bad {n}" for n in range(20)], "good")
    assert [one.error is None for one in found] == [False] * 20 + [True]
    assert len(endpoint.requests) <= 21 + 3


def test_an_endpoint_that_refuses_even_a_harmless_prompt_is_told_to_the_user(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(error("This model's maximum context length is 64 tokens."), status=400)
    with opened(endpoint, concurrency=2) as session, pytest.raises(ConfigError, match=r"lower judge\.max_new_tokens"):
        ask(session, *map(str, range(100)))
    assert len(endpoint.requests) <= 3


def test_what_passes_for_the_prompts_fault_is_looked_at_again_when_it_goes_on(endpoint: Any) -> None:
    """A filter that refuses everything from now on is not the fault of the remaining prompts."""
    refused = endpoint.Reply(error("content policy"), status=400)
    endpoint.behave = lambda request: endpoint.chat() if len(endpoint.requests) <= 3 else refused
    with opened(endpoint, concurrency=1) as session, pytest.raises(ConfigError, match="content policy"):
        ask(session, *map(str, range(200)))
    assert len(endpoint.requests) <= 3 + 10 + 2


def test_many_prompts_that_are_refused_for_themselves_end_nothing(endpoint: Any) -> None:
    refused = endpoint.Reply(error("content policy"), status=400)
    endpoint.behave = lambda request: refused if request.prompt.startswith("bad") else endpoint.chat("fine")
    with opened(endpoint, concurrency=1) as session:
        found = ask(session, "good", *[f"bad {n}" for n in range(50)], "good")
    assert [one.error is None for one in found] == [True, *[False] * 50, True]
    assert len(endpoint.requests) <= 52 + 5


def test_an_option_that_one_of_several_servers_behind_a_gateway_refuses_ends_nothing(endpoint: Any) -> None:
    refused = endpoint.Reply(error("seed is not supported with this model", "unsupported_parameter"), status=400)
    endpoint.behave = lambda request: refused if request.prompt == "b" else endpoint.chat(request.prompt)
    with opened(endpoint, concurrency=1) as session:
        found = ask(session, "a", "b", "c")
    assert [one.text for one in found] == ["a", "", "c"]


def test_an_error_that_comes_as_an_answer_is_an_error(endpoint: Any) -> None:
    """OpenRouter sends those of the servers behind it with status 200."""
    endpoint.behave = lambda request: (
        endpoint.Reply(json.dumps({"error": {"message": "Provider returned error", "code": 502}}))
        if len(endpoint.requests) < 3
        else endpoint.chat("at last")
    )
    with opened(endpoint) as session:
        assert ask(session, "x")[0].text == "at last"
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": "The prompt is longer than the context length of 4096."}))
    with opened(endpoint) as session, pytest.raises(ConfigError, match="refuses even a harmless prompt"):
        ask(session, "x")
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": {"message": "Insufficient credits", "code": 402}}))
    with opened(endpoint) as session, pytest.raises(ConfigError, match="no quota left"):
        ask(session, "x")


# What is asked in another way -------------------------------------------------------------------------------------------------


def test_a_system_turn_is_folded_into_the_users_where_none_is_taken(endpoint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def behave(request: Any) -> Any:
        if any(turn["role"] == "system" for turn in request.body["messages"]):
            return endpoint.Reply(error("System role not supported"), status=400)
        return endpoint.chat("fine")

    endpoint.behave = behave
    with opened(endpoint, concurrency=1) as session:
        found = ask(session, "one", "two", "three", system="Judge.")
    assert [one.text for one in found] == ["fine"] * 3
    assert [request.body["messages"] for request in endpoint.requests[1:]] == [
        [{"role": "user", "content": f"Judge.\n\n{text}"}] for text in ("one", "two", "three")
    ]
    assert capsys.readouterr().err.count("takes no system turn") == 1


def test_a_limit_beyond_the_context_is_lowered_to_the_room_that_is_left(endpoint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def behave(request: Any) -> Any:
        prompt, limit = len(request.prompt), request.body["max_tokens"]
        said = (
            f"This model's maximum context length is 100 tokens. However, you requested {prompt + limit} tokens ({prompt} in the messages"
        )
        return endpoint.chat("fine") if prompt + limit <= 100 else endpoint.Reply(error(f"{said}, {limit} in the completion)."), status=400)

    endpoint.behave = behave
    with opened(endpoint, concurrency=1) as session:
        found = ask(session, "x" * 10, "x" * 40, "x" * 120, limit=8192)
    assert [one.text for one in found] == ["fine", "fine", ""]
    assert "maximum context length is 100" in str(found[2].error)
    answered = [request.body["max_tokens"] for request in endpoint.requests if request.body["max_tokens"] < 8192]
    assert answered[:2] == [90, 60]
    assert capsys.readouterr().err.count("fewer are asked for") == 1


@pytest.mark.parametrize("tells", [True, False])
def test_vllm_is_asked_how_long_a_prompt_is_that_it_does_not_count_to_the_end(endpoint: Any, tells: bool) -> None:
    def behave(request: Any) -> Any:
        if request.path == "/tokenize":
            size = sum(len(turn["content"]) for turn in request.body["messages"])
            return endpoint.Reply(json.dumps({"count": size, "max_model_len": 100}) if tells else "{}", status=200 if tells else 404)
        limit = request.body["max_tokens"]
        if limit > 100:
            return endpoint.Reply(error(f"max_tokens={limit} cannot be greater than max_model_len=100."), status=400)
        least = f"you requested {limit} output tokens and your prompt contains at least {101 - limit} input tokens"
        said = f"This model's maximum context length is 100 tokens. However, {least}, for a total of at least 101 tokens."
        return endpoint.chat("fine") if len(request.prompt) + limit <= 100 else endpoint.Reply(error(said), status=400)

    endpoint.behave = behave
    with opened(endpoint, concurrency=1) as session:
        found = ask(session, "x" * 80, "x" * 10, "x" * 120, "x" * 9, limit=8192)
    assert [one.text for one in found] == ["fine", "fine", "", "fine"]
    assert not tells or endpoint.requests[-1].body["max_tokens"] == 91, "from then on prompts are counted before they are asked"
    limits = [request.body["max_tokens"] for request in endpoint.requests if request.path != "/tokenize" and len(request.prompt) == 80]
    assert limits == ([8192, 100, 20] if tells else [8192, 100, 50, 25, 12])
