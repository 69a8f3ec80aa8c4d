"""The embedded judge as it ships: small, a real Qwen2, and with a tokenizer that comes back from disk as it was made."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path as FilePath

from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, Qwen2Config, Qwen2Tokenizer

from adjudge import find_model
from adjudge_arithmetic.pretrain import Recipe
from adjudge_arithmetic.tokenizer import build_tokenizer, corpus
from adjudge_judges import ArithmeticJudge

FOLDER = find_model("adjudge_arithmetic:model")
SAVED, MADE = AutoTokenizer.from_pretrained(FOLDER), build_tokenizer()


def test_it_is_small_and_holds_no_pickles() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".jinja"}
    assert sum(tensor.numel() for tensor in load_file(FOLDER / "model.safetensors").values()) < 1_000_000
    assert json.loads((FOLDER / "judge.json").read_text())["use"] == "arithmetic"


def test_it_is_of_the_recipe_that_the_script_has() -> None:
    recipe = json.loads((FOLDER / "recipe.json").read_text())
    assert recipe == json.loads(json.dumps(asdict(Recipe())))


def test_a_sound_judgement_fits_into_what_a_judgement_may_take() -> None:
    longest = max(len(SAVED(text)["input_ids"]) for text in corpus(seed=2, size=300))
    assert longest + 1 < ArithmeticJudge().max_new_tokens


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
