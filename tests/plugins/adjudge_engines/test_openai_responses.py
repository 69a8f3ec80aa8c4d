"""Reading what an endpoint answered: any JSON is a completion or a fault; log-probabilities only where their tokens make up the text."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import Completion
from adjudge_arithmetic.tokenizer import build_tokenizer
from adjudge_engines.openai_responses import Fault, OtherText, Refused, error_within, read_answer, read_echo, top_logprobs
from adjudge_engines.texts import Texts


def body(text: Any = "fine", ended: Any = "stop", logprobs: Any = None, **message: Any) -> str:
    return json.dumps({"choices": [{"message": {"content": text, **message}, "finish_reason": ended, "logprobs": logprobs}]})


def tokens(*written: str | bytes, told: float = -0.5) -> dict[str, Any]:
    data = [one.encode() if isinstance(one, str) else one for one in written]
    return {"content": [{"token": one.decode(errors="replace"), "bytes": list(one), "logprob": told} for one in data]}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "not JSON"),
        ("<html>gateway</html>", "not JSON: '<html>gateway</html>'"),
        ('{"choices": [{"mess', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("7" * 5000, "not JSON"),
        ("null", "no list of choices"),
        ("[]", "no list of choices"),
        ('{"error": "overloaded"}', "no list of choices"),
        ('{"choices": null}', "no list of choices"),
        ('{"choices": ["text"]}', "no list of choices"),
        ('{"choices": []}', "0 choices"),
        ('{"choices": [{}, {}]}', "2 choices"),
        ('{"choices": [{"finish_reason": "stop"}]}', "no message"),
        ('{"choices": [{"message": {"content": "x"}}]}', "does not say how it ended"),
        (body(None), "no content"),
        (body(["x"]), "content is a list with a str in it"),
        (body([{"type": "image_url2"}]), "content has a chunk of the type 'image_url2'"),
        (body([{"type": "thinking", "thinking": [{"type": "tool"}]}]), "content has a chunk of the type 'tool'"),
        (body([{"type": "text", "text": 7}]), "text is a int"),
        (body([]), "no content"),
        (body("", "error", None), "ended with 'error'"),
        (body(7), "content is a int"),
        (body("x", reasoning={"a": 1}), "reasoning is a dict"),
        (body("x\ud800"), "half a character"),
        (body("x", ended=["stop"]), "does not say how it ended"),
        (body("x", ended="\ud800"), "neither complete nor cut off"),
        (body("x", ended="tool_calls"), "ended with 'tool_calls'"),
    ],
)
def test_what_cannot_be_used_is_a_fault_with_its_reason(answer: str, reason: str) -> None:
    with pytest.raises(Fault) as caught:
        read_answer(answer)
    assert reason in str(caught.value)
    assert caught.value.again
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("answer", "completion"),
    [
        (body(""), Completion("")),
        (body(None, ended="length"), Completion("", truncated=True)),
        (body("half", ended="length"), Completion("half", truncated=True)),
        (body("the the the", ended="repetition"), Completion("the the the", truncated=True)),
        (body("half", ended="model_length"), Completion("half", truncated=True)),
        (body("fine", ended="STOP"), Completion("fine")),
        (body("half", ended="SAFETY"), Completion("", error="the endpoint's content filter stopped the answer")),
        (body(None, ended="length", reasoning="so far"), Completion("<think>so far", truncated=True)),
        (body("x", ended="length", reasoning="y"), Completion("<think>y</think>x", truncated=True)),
        (body(None, reasoning="all in thought"), Completion("<think>all in thought</think>")),
        (body(None, refusal="I would rather not"), Completion("I would rather not")),
        (body("x", reasoning=""), Completion("x")),
        (body("<think>y</think>x"), Completion("<think>y</think>x")),
        (body("x", reasoning="new", reasoning_content="old"), Completion("<think>new</think>x")),
    ],
)
def test_what_can_be_used_is_one_text(answer: str, completion: Completion) -> None:
    assert read_answer(answer) == completion


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "carry "}, {"type": "text", "text": "1"}], "closed": True}
SAID = {"type": "text", "text": "yes"}


@pytest.mark.parametrize(
    ("answer", "completion"),
    [
        (body([THOUGHT, SAID]), Completion("<think>carry 1</think>yes")),
        (body([SAID]), Completion("yes")),
        (body([SAID, {"type": "reference", "reference_ids": [3]}, {"type": "text", "text": "!"}]), Completion("yes!")),
        (body([{"type": "thinking", "thinking": "carry 1"}, SAID]), Completion("<think>carry 1</think>yes")),
        (body([THOUGHT], ended="length"), Completion("<think>carry 1", truncated=True)),
        (body([THOUGHT, SAID], ended="length"), Completion("<think>carry 1</think>yes", truncated=True)),
        (body([THOUGHT, SAID, THOUGHT, SAID]), Completion("<think>carry 1</think>yes<think>carry 1</think>yes")),
        (body([], ended="length"), Completion("", truncated=True)),
    ],
)
def test_content_in_chunks_is_one_text(answer: str, completion: Completion) -> None:
    assert read_answer(answer) == completion


def test_tokens_of_content_in_chunks_end_where_they_do() -> None:
    one = read_answer(body([THOUGHT, SAID], logprobs=tokens("[THINK]", "carry", " 1", "[/THINK]", "yes")))
    assert one.text == "<think>carry 1</think>yes"
    assert one.token_ends == (-1, 12, 14, -1, 25)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Maybe \\boxed{Assistant 2}. But", "<think>Maybe \\boxed{Assistant 2}. But"),
        ("<think>so", "<think>so"),
        ("so</think>yes", "so</think>yes"),
        ("so[/THINK]yes", "so[/THINK]yes"),
    ],
)
def test_a_text_is_all_thinking_where_the_template_opened_it_and_nothing_closed_it(text: str, shown: str) -> None:
    assert read_answer(body(text), opened=True).text == shown
    assert read_answer(body(text)).text == text
    assert read_answer(body("yes", reasoning="so"), opened=True).text == "<think>so</think>yes"


# The responses API ----------------------------------------------------------------------------------------------------------


def response(*output: Any, status: str = "completed", **more: Any) -> str:
    return json.dumps({"object": "response", "status": status, "error": None, "output": list(output), **more})


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": [], **more}]}


SUMMARY = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "carry 1"}]}
TRACE = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "carry 1"}]}


@pytest.mark.parametrize(
    ("answer", "completion"),
    [
        (response(said("yes")), Completion("yes")),
        (response({"type": "reasoning", "summary": []}, said("yes")), Completion("yes")),
        (response(SUMMARY, said("yes")), Completion("<think>carry 1</think>yes")),
        (response(TRACE, said("yes")), Completion("<think>carry 1</think>yes")),
        (response(said("yes", logprobs=tokens("y", "es")["content"])), Completion("yes", (), (1, 3), (-0.5, -0.5))),
        (
            response({"type": "message", "content": [{"type": "refusal", "refusal": "I would rather not"}]}),
            Completion("I would rather not"),
        ),
        (
            response(SUMMARY, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Completion("<think>carry 1", truncated=True),
        ),
        (
            response(said("half"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Completion("half", truncated=True),
        ),
        (
            response(status="incomplete", incomplete_details={"reason": "content_filter"}),
            Completion("", error="the endpoint's content filter stopped the answer"),
        ),
    ],
)
def test_an_answer_of_the_responses_api(answer: str, completion: Completion) -> None:
    assert read_answer(answer) == completion


@pytest.mark.parametrize(
    "answer",
    [
        response(),
        response(said("half"), status="in_progress"),
        response(status="failed", error={"code": "server_error", "message": "x"}),
        response(said("half"), status="incomplete"),
        response({"type": "function_call", "name": "f"}),
        response({"type": "message", "content": [{"type": "output_text", "text": 7}]}),
        json.dumps({"object": "response", "status": "completed", "output": {"type": "message"}}),
    ],
)
def test_an_answer_of_the_responses_api_that_cannot_be_used_is_a_fault(answer: str) -> None:
    with pytest.raises(Fault):
        read_answer(answer)


# Log-probabilities --------------------------------------------------------------------------------------------------------


def test_tokens_end_where_their_characters_end_and_an_end_of_turn_writes_nothing() -> None:
    face = "🙂".encode()
    one = read_answer(body("aé🙂b", logprobs=tokens("a", "é", face[:2], face[2:], "b", "<|im_end|>")))
    assert one.token_ends == (1, 2, 3, 3, 4, -1)
    assert one.logprobs == (-0.5,) * 6
    assert one.token_ids == (), "nobody told them"


@pytest.mark.parametrize(
    ("written", "ends"),
    [
        (("<think>", "so", "</think>", "\n\n", "yes"), (7, 9, 17, -1, 20)),
        (("so", "</think>", "yes"), (9, 17, 20)),
        (("<|channel|>", "so", "<|final|>", "yes", "<|end|>"), (-1, 9, -1, 20, -1)),
    ],
)
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_marks_around_the_thinking_need_not_be_the_models_own(field: str, written: tuple[str, ...], ends: tuple[int, ...]) -> None:
    one = read_answer(body("yes", **{field: "so"}, logprobs=tokens(*written)))
    assert one.text == "<think>so</think>yes"
    assert one.token_ends == ends
    assert one.logprobs == (-0.5,) * len(written)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("written", [("yes",), ("so", "ye"), ("soy", "es")])
def test_log_probabilities_of_a_part_beside_thinking_are_not_told(field: str, written: tuple[str, ...]) -> None:
    """OpenAI tells those of the answer alone; a token over both sides of a mark belongs to neither."""
    assert read_answer(body("yes", **{field: "so"}, logprobs=tokens(*written))) == Completion("<think>so</think>yes")


@pytest.mark.parametrize(
    "logprobs",
    [
        tokens("only ", "half"),
        tokens("so", "me other words"),
        tokens("fine", told=-9999.0),
        tokens("fine", told=0.5),
        {"content": [{"token": "fine"}]},
        {"content": [{"token": "fine", "logprob": "-1"}]},
        {"content": [{"token": "fine", "logprob": float("nan")}]},
        {"content": [{"token": "fine", "logprob": True}]},
        {"content": [{"token": "fine", "bytes": [999], "logprob": -1}]},
        {"content": [{"token": "\ud800", "logprob": -1}]},
        {"content": [None]},
        {"content": "fine"},
        {"content": []},
        {"tokens": ["fine"], "token_logprobs": [-1.0]},
        "fine",
    ],
)
def test_log_probabilities_that_are_not_those_of_the_text_are_not_told(logprobs: Any) -> None:
    assert read_answer(body("fine", logprobs=logprobs)) == Completion("fine")


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12), st.integers(0, 3))
def test_tokens_that_write_a_text_end_in_order_and_at_its_end(pieces: list[str], specials: int) -> None:
    text = "".join(pieces)
    one = read_answer(body(text, logprobs=tokens(*pieces, *["<|\x00end|>"] * specials)))
    shown = [end for end in one.token_ends if end >= 0]
    assert one.text == text
    assert [text[start:end] for start, end in zip([0, *shown], shown, strict=False)] == pieces
    assert one.logprobs is not None
    assert len(one.token_ends) == len(one.logprobs) == len(pieces) + specials


# Any JSON -----------------------------------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["stop", "length", "content_filter"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)
TOKEN = st.fixed_dictionaries({"token": JSON, "logprob": JSON}, optional={"bytes": JSON | st.lists(st.integers(-1, 300), max_size=3)})
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "message": JSON | st.dictionaries(st.sampled_from(["content", "reasoning", "reasoning_content", "refusal"]), JSON, max_size=3),
        "finish_reason": JSON,
        "logprobs": JSON | st.fixed_dictionaries({"content": JSON | st.lists(TOKEN, max_size=3)}),
        "token_ids": JSON,
    },
)
ITEM = JSON | st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call"])},
    optional={
        "content": JSON | st.lists(st.fixed_dictionaries({"type": st.just("output_text"), "text": JSON, "logprobs": JSON})),
        "summary": JSON,
    },
)
RESPONSE = st.fixed_dictionaries(
    {"object": st.just("response")},
    optional={
        "status": st.sampled_from(["completed", "incomplete"]) | JSON,
        "output": JSON | st.lists(ITEM, max_size=3),
        "incomplete_details": JSON,
    },
)
ANSWER = RESPONSE | JSON | st.fixed_dictionaries({"choices": JSON | st.lists(CHOICE | JSON, max_size=2)})


@settings(max_examples=400)
@given(ANSWER.map(json.dumps) | st.text())
def test_any_answer_is_a_completion_or_a_fault(answer: str) -> None:
    with contextlib.suppress(Fault):
        one = read_answer(answer)
        one.text.encode()
        assert one.logprobs is None or len(one.logprobs) == len(one.token_ends) > 0
        assert all(end == -1 or 0 < end <= len(one.text) for end in one.token_ends)
    with contextlib.suppress(Fault):
        assert len(read_echo(answer, 1, 2)) == 2
    with contextlib.suppress(Fault):
        assert all(isinstance(value, float) for value in top_logprobs(answer).values())
    with contextlib.suppress(Fault):
        one = read_answer(answer, stops=("a", "b]"), opened=True)
        assert one.error is not None or one.logprobs is None or len(one.logprobs) == len(one.token_ends)
    assert error_within(answer) is None or 400 <= (error_within(answer) or 0) < 600


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(build_tokenizer(), ends_of_turn=None, context=None)


@given(st.text(max_size=6), st.lists(st.integers(-2, 400) | st.booleans() | st.none(), max_size=6) | st.none(), st.integers(0, 6))
def test_token_ids_are_believed_only_where_they_write_the_answer(texts: Texts, text: str, ids: Any, told: int) -> None:
    choice = json.loads(body(text, logprobs=tokens(*["x"] * told)))["choices"][0]
    with contextlib.suppress(OtherText):
        one = read_answer(json.dumps({"choices": [{**choice, "token_ids": ids}]}), texts)
        if one.token_ids:
            assert one.token_ids == tuple(ids)
            assert texts.token_offsets(ids) == (one.text, one.token_ends)
            assert one.text.strip().rstrip("\ufffd") == text.strip().rstrip("\ufffd")
            assert one.logprobs is None or len(one.logprobs) == len(ids) == told
        else:
            assert one.text == text


@pytest.mark.parametrize("content", ["1", "", "37+48=8"])
def test_token_ids_that_write_more_than_the_answer_are_those_of_another_text(texts: Texts, content: str) -> None:
    ids = texts.tokenizer("37+48=85", add_special_tokens=False)["input_ids"]
    choice = json.loads(body(content))["choices"][0]
    with pytest.raises(OtherText):
        read_answer(json.dumps({"choices": [{**choice, "token_ids": ids}]}), texts)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize(
    ("written", "ended", "content", "thinking"),
    [
        ("<think>so</think>yes", "stop", "yes", "so"),
        ("so</think>\n\nyes", "stop", "\n\nyes", "so"),
        ("so far", "length", None, "so far"),
        ("<think>so far", "length", None, "so far"),
    ],
)
def test_thinking_is_read_from_the_tokens_whether_its_first_mark_stood_in_the_prompt_or_not(
    texts: Texts, field: str, written: str, ended: str, content: str | None, thinking: str
) -> None:
    ids = texts.tokenizer(written, add_special_tokens=False)["input_ids"]
    choice = json.loads(body(content, ended, tokens(*["x"] * len(ids)), **{field: thinking}))["choices"][0]
    one = read_answer(json.dumps({"choices": [{**choice, "token_ids": ids}]}), texts)
    assert (one.text, one.token_ids, one.truncated) == (written, tuple(ids), ended == "length")
    assert one.token_ends[-1] == len(written)
    assert one.logprobs == (-0.5,) * len(ids)


def test_the_tokens_of_unended_thinking_stand_behind_the_mark_that_the_template_wrote(texts: Texts) -> None:
    ids = texts.tokenizer("37+48", add_special_tokens=False)["input_ids"]
    choice = json.loads(body("37+48"))["choices"][0]
    one = read_answer(json.dumps({"choices": [{**choice, "token_ids": ids}]}), texts, opened=True)
    assert one.text == "<think>37+48"
    assert one.token_ids == tuple(ids)
    assert one.token_ends == tuple(end + 7 for end in texts.token_offsets(ids)[1])


def test_an_echo_is_of_all_tokens_that_were_given() -> None:
    echoed = json.dumps({"choices": [{"logprobs": {"token_logprobs": [None, -1, -2.5, -3, -9]}}]})
    assert read_echo(echoed, 2, 2) == [-2.5, -3.0]
    with pytest.raises(Refused):
        read_echo(echoed, 3, 3)
    with pytest.raises(Refused):
        read_echo(echoed, 0, 2)
