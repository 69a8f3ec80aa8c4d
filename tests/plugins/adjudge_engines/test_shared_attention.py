"""Rows that read their prompt's keys in common say what rows with copies of it say, and weights laid out once give the same products."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is absent: the hf engine needs it")

import torch

from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, continuous, hf, packed_linear
from adjudge_engines.packed_linear import laid_out
from adjudge_engines.shared_attention import NAME, attention_of, can_share, shared_attention
from adjudge_engines.slots import START, Slots
from adjudge_judges import ArithmeticJudge

PROBLEMS = list(ArithmeticDataset(size=3, levels=[1, 2, 3, 4], part="test").load())
PROMPTS = [ArithmeticJudge().prompt(problem, "given") for problem in PROBLEMS for _ in range(4)]
PROMPTS.append(ArithmeticJudge().prompt(PROBLEMS[0], "swapped"))


def sampled(embedded: FilePath, *, dtype: Any = "float32", temperature: float = 1.0) -> dict[int, Any]:
    with HfEngine(device="cpu", dtype=dtype).open(embedded) as session:
        seeds = list(range(len(PROMPTS)))
        return dict(session.sample(PROMPTS, seeds=seeds, temperature=temperature, top_p=1.0, max_new_tokens=112))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_shared_prompts_change_no_judgement(embedded: FilePath, monkeypatch: pytest.MonkeyPatch, temperature: float) -> None:
    copied = sampled(embedded, temperature=temperature)
    for module in (hf, continuous):
        monkeypatch.setattr(module, "SHARED_TOKENS", 8)
    seen: list[int] = []
    before = Slots.sharing
    monkeypatch.setattr(Slots, "sharing", lambda self, rows: [seen.append(len(found := before(self, rows))), found][1])
    shared = sampled(embedded, temperature=temperature)
    assert max(seen) == len(PROBLEMS), "every prompt but the one that is asked once"
    for index, one in copied.items():
        assert shared[index].token_ids == one.token_ids
        assert shared[index].logprobs == pytest.approx(one.logprobs, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merged_attention_is_attention_to_prompt_and_own_tokens_at_once(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rows, heads, queries, prompt, columns, size = 5, 2, 3, 40, 7, 16
    key, value = torch.randn(2, rows, heads, columns, size, dtype=dtype)
    trunk_key, trunk_value = torch.randn(2, heads, prompt, size, dtype=dtype)
    query = torch.randn(rows, heads * queries, 1, size, dtype=dtype)
    own = torch.tensor([1, 7, 3, 5, 2])
    mask = torch.zeros(rows, 1, 1, columns, dtype=dtype).masked_fill(torch.arange(columns) >= own[:, None, None, None], float("-inf"))
    shared = [1, 2, 4]
    module: Any = type("Layer", (), {"layer_idx": 0})()
    found, _ = shared_attention(
        module, query, key, value, mask, sharing=[(torch.tensor(shared), [(trunk_key, trunk_value)])], scaling=0.25, sliding_window=None
    )
    for row in range(rows):
        keys, values = key[row, :, : own[row]], value[row, :, : own[row]]
        if row in shared:
            keys, values = torch.cat([trunk_key, keys], 1), torch.cat([trunk_value, values], 1)
        score = torch.einsum("hgd,hld->hgl", query[row].view(heads, queries, size).double(), keys.double()) * 0.25
        expected = (score.softmax(-1) @ values.double()).view(1, -1, size)
        torch.testing.assert_close(found[row].double(), expected, atol=1e-5 if dtype == torch.float32 else 2e-2, rtol=0)
    with pytest.raises(TypeError, match="softcap"):
        shared_attention(module, query, key, value, mask, sharing=[], softcap=30.0)


def test_a_model_has_its_own_attention_again_after_a_step(embedded: FilePath) -> None:
    with HfEngine(device="cpu").open(embedded) as session:
        model: Any = session.model  # type: ignore[attr-defined]
        assert can_share(model)
        with attention_of(model, [(torch.tensor([0]), [])]):
            assert model.config._attn_implementation == NAME
        assert model.config._attn_implementation == "sdpa"
        model.config._attn_implementation = "eager"
        assert not can_share(model), "attention that was chosen stays"
        assert continuous.shared_tokens(model, 0) is None


def test_a_shared_prompt_takes_no_room_in_slots() -> None:
    trunk = [(torch.randn(2, 300, 4), torch.randn(2, 300, 4))]
    slots = Slots(trunk, 3, 1000)
    slots.put(0, trunk, shared=True)
    slots.put(1, trunk, shared=True)
    _, position = slots.at([300, 303], torch.device("cpu"))
    assert position.flatten().tolist() == [300, 303]
    assert slots.column_B.tolist() == [0, 3]
    assert slots.room < 2 * 64, "of 1000 columns and a prompt of 300"
    slots.put(2, trunk)
    assert slots.room == 300 + START
    slots.move(2, 0, 300)
    assert torch.equal(slots.cache.layers[0].keys[0, :, :300], trunk[0][0])
    assert [slots.shares(trunk, 1), slots.shares(trunk, 2)] == [False, True], "a row that was moved is as it was before"


BF16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
"""Whether oneDNN lays weights in bfloat16 out on this CPU; elsewhere a model keeps its own products."""


@pytest.mark.parametrize(
    ("dtype", "error"),
    [
        pytest.param(torch.bfloat16, 0.02, marks=pytest.mark.skipif(not BF16, reason="oneDNN has no bfloat16 on this CPU")),
        (torch.float32, 1e-5),
    ],
)
def test_weights_laid_out_once_give_the_same_products(dtype: torch.dtype, error: float) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(96, 200).to(dtype)
    _, product = laid_out(layer)
    with torch.inference_mode():
        for count in (1, 24, 300):
            rows = torch.randn(count, 1, 96, dtype=dtype)
            torch.testing.assert_close(product(rows), layer(rows), atol=error, rtol=0)


@pytest.mark.parametrize(("dtype", "error"), [("bfloat16", 0.25), ("float32", 1e-4)])
def test_a_model_with_weights_laid_out_says_what_it_said_before(
    embedded: FilePath, monkeypatch: pytest.MonkeyPatch, dtype: Any, error: float
) -> None:
    monkeypatch.setattr(packed_linear, "GAINS", 1000)
    with HfEngine(device="cpu", dtype=dtype).open(embedded) as session, torch.inference_mode():
        own: Any = session
        ids = torch.tensor([own.encode(PROMPTS[0])])
        before, held = own.model(ids).logits, sum(parameter.numel() for parameter in own.model.parameters())
        made = dict(own.sample(PROMPTS, seeds=list(range(len(PROMPTS))), temperature=1.0, top_p=1.0, max_new_tokens=8))
        layers = [module for module in own.model.modules() if isinstance(module, torch.nn.Linear)]
        known, head = BF16 or dtype == "float32", own.model.get_output_embeddings()
        assert all(("forward" in vars(module)) == known for module in layers if module is not head)
        assert "forward" in vars(head), "the head too, whose likeliest logits are kept exact in bfloat16 on every CPU"
        assert all(module.weight.is_mkldnn == known for module in layers if module is not head), "no second copy"
        assert sum(parameter.numel() for parameter in own.model.parameters()) == held
        torch.testing.assert_close(own.model(ids).logits, before, atol=error, rtol=0)
        for index, chat in enumerate(PROMPTS):
            [scored] = own.logprobs(chat, [made[index].token_ids])
            assert made[index].logprobs == pytest.approx(scored, abs=error)


def test_a_small_model_in_float32_keeps_its_bits(embedded: FilePath) -> None:
    with HfEngine(device="cpu", dtype="float32").open(embedded) as session, torch.inference_mode():
        own: Any = session
        ids = torch.tensor([own.encode(PROMPTS[0])])
        before = own.model(ids).logits
        list(own.sample(PROMPTS[:2], seeds=[0, 1], temperature=1.0, top_p=1.0, max_new_tokens=2))
        assert torch.equal(own.model(ids).logits, before)
