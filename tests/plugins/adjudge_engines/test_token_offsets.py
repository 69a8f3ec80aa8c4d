"""Where sampled tokens end in the decoded text: whole texts come back, and every token lies where its characters are."""

from __future__ import annotations

from functools import cache
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge_arithmetic.tokenizer import END, build_tokenizer
from adjudge_engines.token_offsets import TokenOffsets

DATA = FilePath(__file__).parents[4] / "shared" / "data"
FOLDERS = {"qwen2": DATA / "qwen2_tokenizer", "stories": DATA / "stories260K" / "hf"}


@cache
def tokenizer(name: str) -> Any:
    if name == "world":
        return build_tokenizer()
    if not FOLDERS[name].is_dir():
        pytest.skip(f"no tokenizer at {FOLDERS[name]}")
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if name == "qwen2":
        return PreTrainedTokenizerFast(tokenizer_file=str(FOLDERS[name] / "tokenizer.json"))
    return AutoTokenizer.from_pretrained(FOLDERS[name])


NAMES = ["world", pytest.param("qwen2", marks=pytest.mark.realdata), pytest.param("stories", marks=pytest.mark.realdata)]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\ufffd", exclude_categories=["Cs", "Cc"]), max_size=30))
def test_text_and_ends_agree(name: str, text: str) -> None:
    """Every prefix of whole characters is what its tokens decode to, emoji and other multi-token characters included."""
    known = tokenizer(name)
    ids = known(text, add_special_tokens=False)["input_ids"]
    found, ends = TokenOffsets(known)(ids)
    assert found == known.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert len(ends) == len(ids)
    assert list(ends) == sorted(ends)
    assert not ids or ends[-1] == len(found)


@given(ids=st.lists(st.integers(0, 287), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_sampled_ids_are_read(ids: list[int]) -> None:
    """A judge may sample bytes that are no text; they are decoded as such and nothing is lost or raised."""
    text, ends = TokenOffsets(tokenizer("world"))(ids)
    special = set(tokenizer("world").all_special_ids)
    assert [end == -1 for end in ends] == [token in special for token in ids]
    assert max(ends, default=0) <= len(text)


def test_a_special_token_writes_nothing() -> None:
    known = tokenizer("world")
    ids = known("sum 85" + END)["input_ids"]
    text, ends = TokenOffsets(known)(ids)
    assert text == "sum 85"
    assert ends == (3, 4, 5, 6, -1)


def test_a_character_of_several_tokens_ends_once() -> None:
    known = tokenizer("world")
    text, ends = TokenOffsets(known)(known("a\N{GRINNING FACE}b")["input_ids"])
    assert text == "a\N{GRINNING FACE}b"
    assert ends == (1, 2, 2, 2, 2, 3)


def test_an_added_special_token_writes_nothing_either() -> None:
    from tokenizers import AddedToken

    known = build_tokenizer()
    known.add_tokens([AddedToken("<|eom|>", special=True, normalized=False)])
    text, ends = TokenOffsets(known)(known("sum 85<|eom|>")["input_ids"])
    assert (text, ends) == ("sum 85", (3, 4, 5, 6, -1))
