"""Chat templates: arguments and templates of the user's, and system turns where a template has none."""

from __future__ import annotations

import logging
from pathlib import Path as FilePath
from typing import Any

import pytest
from transformers import AutoTokenizer

from adjudge import ConfigError, dump, escape_special_tokens
from adjudge_engines import HfEngine
from adjudge_engines.chat_template import set_chat_template

PLAIN = "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}{% if thinking %}<think>{% endif %}{{ mode }}"
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN
DROPS = "{% for turn in messages if turn.role != 'system' %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1"}]


@pytest.fixture
def tokenizer(embedded: FilePath) -> Any:
    return AutoTokenizer.from_pretrained(embedded)


def rendered(tokenizer: Any, chat: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(escape_special_tokens(chat, tokenizer), tokenize=False))


def test_arguments_are_part_of_the_template(tokenizer: Any, tmp_path: FilePath) -> None:
    """Also for whoever loads the tokenizer after it was saved, without knowing of them."""
    set_chat_template(tokenizer, PLAIN, {"thinking": True, "mode": 'a "quoted"\nword'})
    assert rendered(tokenizer, CHAT) == 'system: Be brief.\nuser: 1+1\n<think>a "quoted"\nword'
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert rendered(again, CHAT) == rendered(tokenizer, CHAT)
    assert again.apply_chat_template(CHAT, tokenize=False, thinking=False).count("<think>") == 1, "they always hold"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("\U0001f600 é", "\U0001f600 é"), (None, "none"), (False, "False"), ([1, None], "[1, None]"), ({"a": [True]}, "{'a': [True]}")],
)
def test_every_json_value_reaches_the_template(tokenizer: Any, value: Any, shown: str) -> None:
    set_chat_template(tokenizer, "{{ messages[-1].content }}:{% if mode is none %}none{% else %}{{ mode }}{% endif %}", {"mode": value})
    assert rendered(tokenizer, CHAT[1:]) == f"1+1:{shown}"


def test_a_template_may_be_a_file(tokenizer: Any, tmp_path: FilePath) -> None:
    file = tmp_path / "own.jinja"
    file.write_text(PLAIN, encoding="utf-8")
    set_chat_template(tokenizer, str(file), {})
    assert rendered(tokenizer, CHAT).startswith("system: Be brief.")
    with pytest.raises(ConfigError, match=r"engine\.chat_template: .*nowhere.* cannot be read"):
        set_chat_template(tokenizer, "nowhere.jinja", {})


def test_an_argument_that_the_template_does_not_have_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ConfigError, match="has no argument 'thinkin'"):
        set_chat_template(tokenizer, PLAIN, {"thinkin": False})
    tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="the model has no chat template"):
        set_chat_template(tokenizer, None, {"thinking": False})


@pytest.mark.parametrize("template", [REFUSES, DROPS])
def test_a_system_turn_joins_the_users_where_the_template_has_none(tokenizer: Any, template: str, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer.chat_template = template
    with caplog.at_level(logging.WARNING, "adjudge.engines"):
        for _ in range(2):
            assert rendered(tokenizer, CHAT) == "user: Be brief.\n\n1+1\n"
    assert len([message for message in caplog.messages if "has no system turn" in message]) == 1, "told once"
    tokenizer.chat_template = PLAIN
    assert rendered(tokenizer, CHAT) == "system: Be brief.\nuser: 1+1\n"


def test_an_engine_asks_with_its_template_and_its_arguments(embedded: FilePath, tmp_path: FilePath) -> None:
    """Counted, sampled and told apart in the cache alike; at the default nothing of it is written down."""
    file = tmp_path / "own.jinja"
    file.write_text(PLAIN, encoding="utf-8")
    plain, own = HfEngine(), HfEngine(chat_template=str(file), chat_template_kwargs={"mode": "12345"})
    chat = [{"role": "user", "content": "1+1"}]
    with plain.open(embedded) as first, own.open(embedded) as second:
        assert len(second.encode(chat)) != len(first.encode(chat))
        assert own.count_tokens(embedded, [chat]) == [len(second.encode(chat))]
    assert dump(plain).keys() == {"use", "batch_tokens", "score_tokens", "device", "dtype", "trust_remote_code"}
    before = own.fingerprint()
    assert before != plain.fingerprint()
    file.write_text(PLAIN + " ", encoding="utf-8")
    assert own.fingerprint() != before, "its content counts, not its name"


@pytest.mark.slow
def test_a_model_that_was_trained_so_keeps_it(embedded: FilePath, tmp_path: FilePath) -> None:
    from adjudge import Stage
    from adjudge_arithmetic import ArithmeticDataset
    from adjudge_grpo import Grpo
    from adjudge_judges import ArithmeticJudge

    template = AutoTokenizer.from_pretrained(embedded).chat_template + "{{ mode }}"
    engine = HfEngine(chat_template=template, chat_template_kwargs={"mode": ""})
    problems = list(ArithmeticDataset(size=40, levels=[1, 2]).load())
    stage = Stage(1, "grpo", tmp_path / "stages", tmp_path / "records", embedded, embedded, ArithmeticJudge(), engine, problems)
    made = Grpo(steps=1, prompts_per_step=4, group=4, learning_rate=1e-4).train(stage)
    kept = AutoTokenizer.from_pretrained(made.model).chat_template
    assert kept == '{%- set mode = "" %}' + template
    with engine.open(made.model) as session:
        assert session.tokenizer.chat_template == kept, "not set a second time"


@pytest.mark.parametrize(
    ("template", "arguments", "message"),
    [
        ("{% if %}{{ messages }}", {}, "it cannot be used"),
        ("{{ nothing.at.all }}", {}, "it cannot be used"),
        ("{{ bos_token }}", {}, "does not show what a user says"),
        (PLAIN, {"messages": []}, "'messages' is set by whoever asks"),
        (PLAIN, {"add_generation_prompt": False}, "'add_generation_prompt' is set by whoever asks"),
        ("no\0file", {}, "cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_before_anything_is_asked(
    tokenizer: Any, template: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        set_chat_template(tokenizer, template, arguments)


def test_a_template_file_that_is_no_text_is_told(tokenizer: Any, tmp_path: FilePath) -> None:
    (tmp_path / "own.jinja").write_bytes(b"\xff\xfe{{")
    with pytest.raises(ConfigError, match=r"own\.jinja.* cannot be read"):
        set_chat_template(tokenizer, str(tmp_path / "own.jinja"), {})
