"""What a chat template opens goes with every completion, and marks of thinking are shown where they are special tokens."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Outcome, as_row, read_verdict
from adjudge_engines import load_tokenizer
from adjudge_engines.openai_options import OpenAiEngine
from adjudge_engines.openai_tokenizer import opens_thinking
from adjudge_engines.texts import Texts
from adjudge_engines.token_offsets import TokenOffsets
from adjudge_judges import Rrm

CHAT = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: "


@pytest.fixture
def tokenizer(embedded: FilePath) -> Any:
    return load_tokenizer(embedded, trust_remote_code=False)


def texts_with(tokenizer: Any, template: str) -> Texts:
    tokenizer.chat_template = template
    return Texts(tokenizer, ends_of_turn=None, context=None)


def completed(texts: Texts, text: str) -> Any:
    ids = [*texts.tokenizer(text, add_special_tokens=False)["input_ids"], texts.eos[0]]
    return texts.completion(ids, [-0.5] * len(ids))


@pytest.mark.parametrize("opened", ["<think>\n", "[THINK]", "<ponder>"])
def test_a_verdict_in_thinking_that_the_template_opened_is_none(tokenizer: Any, opened: str) -> None:
    texts = texts_with(tokenizer, CHAT + opened + "{% endif %}")
    one = completed(texts, "7+8=15 \\boxed{Assistant 2}")
    assert one.opened.removeprefix("<template:think>") == opened
    assert not one.truncated
    assert as_row(one)["opened"] == one.opened
    assert read_verdict(Rrm(), one).outcome == Outcome.UNREADABLE


@pytest.mark.parametrize("opened", ["<think>\n", "[THINK]", "<ponder>"])
def test_an_endpoint_s_template_may_open_the_thinking_by_its_arguments_alone(tokenizer: Any, opened: str) -> None:
    texts = texts_with(tokenizer, CHAT + "{% if enable_thinking is defined and enable_thinking %}" + opened + "{% endif %}{% endif %}")

    def told(**extra: Any) -> bool:
        return opens_thinking(OpenAiEngine(base_url="http://127.0.0.1:1/v1", model="m", extra=extra), texts)

    assert told(chat_template_kwargs={"enable_thinking": True})
    assert not told(chat_template_kwargs={"enable_thinking": False})
    assert not told()


def test_without_such_a_template_nothing_changes(tokenizer: Any) -> None:
    one = completed(texts_with(tokenizer, CHAT + "{% endif %}"), "7+8=15 \\boxed{Assistant 2}")
    assert "opened" not in as_row(one)
    assert read_verdict(Rrm(), one).outcome == Outcome.SECOND


def test_marks_of_thinking_are_shown_where_they_are_special_tokens(tokenizer: Any) -> None:
    tokenizer.add_tokens(["[THINK]", "[/THINK]", "<|im_end|>"], special_tokens=True)
    ids = tokenizer("[THINK]1[/THINK]2<|im_end|>", add_special_tokens=False)["input_ids"]
    text, ends = TokenOffsets(tokenizer)(ids)
    assert text == "[THINK]1[/THINK]2"
    assert ends == (7, 8, 16, 17, -1)
