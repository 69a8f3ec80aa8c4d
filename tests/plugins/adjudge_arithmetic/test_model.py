"""The embedded judge as it ships: small, a real Qwen2, and with a tokenizer that comes back from disk as it was made."""

from __future__ import annotations

import json
from pathlib import Path as FilePath

from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoTokenizer, Qwen2Config, Qwen2Tokenizer

from adjudge.artifacts import find_model
from adjudge_arithmetic.tokenizer import build_tokenizer, corpus

FOLDER = find_model("adjudge_arithmetic:model")
SAVED, MADE = AutoTokenizer.from_pretrained(FOLDER), build_tokenizer()


def test_it_is_small_and_holds_no_pickles() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".jinja"}
    assert json.loads((FOLDER / "judge.json").read_text())["use"] == "arithmetic"


def test_it_is_a_real_qwen2(embedded: FilePath) -> None:
    assert isinstance(AutoConfig.from_pretrained(embedded), Qwen2Config)
    assert isinstance(SAVED, Qwen2Tokenizer)
    assert len(SAVED) == AutoConfig.from_pretrained(embedded).vocab_size


def test_the_saved_tokenizer_is_the_one_that_is_made_again_from_the_seed() -> None:
    assert SAVED.get_vocab() == MADE.get_vocab()
    for text in corpus(seed=1, size=50):
        assert SAVED(text)["input_ids"] == MADE(text)["input_ids"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_text_survives_the_round_trip(text: str) -> None:
    import unicodedata

    ids = SAVED(text)["input_ids"]
    assert SAVED.decode(ids, clean_up_tokenization_spaces=False) == unicodedata.normalize("NFC", text)
