"""Rows that come and go: prompts read once, freed slots taken by others, models that cannot do it told, memory that does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is absent: the hf engine needs it")

from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, hf
from adjudge_engines.trunks import read_trunks, shared, together
from adjudge_judges import ArithmeticJudge

PROBLEMS = list(ArithmeticDataset(size=4, levels=[1, 2, 3, 4], part="test").load())
PROMPTS = [ArithmeticJudge().prompt(problem, order) for problem in PROBLEMS for order in ("given", "swapped") for _ in range(3)]
SAMPLING: Any = {"seeds": list(range(len(PROMPTS))), "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 112}


@pytest.fixture(scope="module")
def session(embedded: FilePath) -> Iterator[Any]:
    with HfEngine().open(embedded) as opened:
        yield opened


def test_prompts_that_begin_alike_are_read_together() -> None:
    one, other, apart = (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 7, 8), (1, 9, 9, 9, 9, 9)
    assert shared([one, other]) == 4
    assert shared([one, (1, 2, 3)]) == 2, "the last token of a prompt is read by the first step"
    assert together([one, other, apart], 100) == 2, "a third that shares little would lose what the two share"
    assert together([one, other], 7) == 1, "8 tokens are above the budget"
    assert together([one], 1) == 1


def test_a_trunk_is_what_the_model_reads_alone(session: Any) -> None:
    import torch

    prompts = list(dict.fromkeys(tuple(session.encode(prompt)) for prompt in PROMPTS))
    with torch.inference_mode():
        joined = read_trunks(session.model, prompts, session.pad)
        for prompt, trunk in zip(prompts, joined, strict=True):
            [alone] = read_trunks(session.model, [prompt], session.pad)
            for (key, value), (own_key, own_value) in zip(trunk, alone, strict=True):
                torch.testing.assert_close(key, own_key, atol=1e-4, rtol=1e-4)
                torch.testing.assert_close(value, own_value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("alike", "calls"), [(9, 1), (90, 2)])
def test_long_prompts_are_read_whole_where_they_share_little(session: Any, alike: int, calls: int) -> None:
    import torch

    prompts = [tuple(range(alike)) + tuple((place + row) % 200 for place in range(300)) for row in (1, 2)]
    decoder, seen = session.model.get_decoder(), list[int]()
    hook = decoder.register_forward_pre_hook(lambda *args: seen.append(1))
    with torch.inference_mode():
        joined = read_trunks(session.model, prompts, session.pad)
        hook.remove()
        assert len(seen) == calls
        for prompt, trunk in zip(prompts, joined, strict=True):
            [alone] = read_trunks(session.model, [prompt], session.pad)
            torch.testing.assert_close(trunk[-1], alone[-1], atol=1e-3, rtol=1e-3)


def test_rows_that_come_and_go_say_what_whole_batches_say(session: Any, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session._can_share(200)
    found = {}
    for name, budget in (("rows", 65536), ("few", 700), ("batches", 65536)):
        if name == "batches":
            monkeypatch.setattr(hf, "shares_prompts", lambda model, length: False)
        with HfEngine(batch_tokens=budget).open(embedded) as opened:
            found[name] = dict(opened.sample(PROMPTS, **SAMPLING))
    assert set(found["rows"]) == set(range(len(PROMPTS)))
    for index, whole in found["batches"].items():
        for other in (found["rows"][index], found["few"][index]):
            assert (other.text, other.token_ids, other.truncated) == (whole.text, whole.token_ids, whole.truncated)
            assert other.logprobs == pytest.approx(whole.logprobs, abs=1e-5)


def test_a_model_whose_cache_forgets_is_sampled_in_whole_batches_and_that_is_told_once(
    embedded: FilePath, tmp_path: FilePath, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.MistralConfig(
        vocab_size=288, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        sliding_window=16, pad_token_id=286, bos_token_id=None, eos_token_id=285,
    )  # fmt: skip
    transformers.MistralForCausalLM(config).eval().save_pretrained(tmp_path)
    for file in (*embedded.glob("tokenizer*"), embedded / "chat_template.jinja"):
        shutil.copy(file, tmp_path)
    with HfEngine().open(tmp_path) as opened:
        for _ in range(2):
            list(opened.sample(PROMPTS[:3], seeds=[1, 2, 3], temperature=1.0, top_p=1.0, max_new_tokens=4))
    assert sum("samples more slowly" in one.message for one in caplog.records) == 1


def test_memory_that_does_not_suffice_halves_the_rows_and_loses_none(
    session: Any, embedded: FilePath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = dict(session.sample(PROMPTS, **SAMPLING))
    with HfEngine().open(embedded) as opened:
        assert opened._can_share(200)
        forward = opened.model.forward

        def short_of_memory(*args: Any, **kwargs: Any) -> Any:
            if len(kwargs["input_ids"]) > 8:
                raise MemoryError
            return forward(*args, **kwargs)

        monkeypatch.setattr(opened.model, "forward", short_of_memory)
        found = list(opened.sample(PROMPTS, **SAMPLING))
    assert any("do not fit into memory" in one.message for one in caplog.records)
    assert sorted(index for index, _ in found) == list(range(len(PROMPTS))), "each exactly once"
    assert all(one.token_ids == expected[index].token_ids for index, one in found)


def test_slots_grow_as_rows_do_and_keep_what_is_in_them() -> None:
    import torch

    from adjudge_engines.slots import GROWTH, START, Slots

    trunk = [(torch.randn(2, 5, 4), torch.randn(2, 5, 4)) for _ in range(3)]
    slots = Slots(trunk, 2, 1000)
    slots.put(0, trunk)
    assert slots.room == 5 + START, "and not the 1000 columns that a row may come to have"
    for length in (5 + START, 40 + GROWTH, 300):
        slots.at([length, 3], torch.device("cpu"))
        assert length < slots.room < length + 2 * GROWTH
    for layer, (key_HPD, value_HPD) in zip(slots.cache.layers, trunk, strict=True):
        assert torch.equal(layer.keys[0, :, :5], key_HPD)
        assert torch.equal(layer.values[0, :, :5], value_HPD)
    slots.at([999, 3], torch.device("cpu"))
    assert slots.room == 1000
