"""`dtype: auto`: bfloat16 for large models on a CPU that multiplies it, the stored precision for the others, and exact logits for all."""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is absent: the hf engine needs it")

import torch

from adjudge_engines import HfEngine, fast_bfloat16, gains_by_bfloat16, precision
from adjudge_engines.exact_head import EXACT
from adjudge_engines.precision import automatic, weights_in

SMOLLM = FilePath(os.environ.get("SMOLLM2_135M", ""))
real = pytest.mark.skipif(not (SMOLLM / "config.json").is_file(), reason="SMOLLM2_135M names no folder with SmolLM2-135M-Instruct")
CHAT = [{"role": "user", "content": "Which is larger, 9.11 or 9.9? Think, then answer."}]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: True)


def test_the_cpu_is_asked() -> None:
    assert fast_bfloat16() == any(bool(torch.cpu.get_capabilities().get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def test_weights_are_counted_as_torch_does(embedded: FilePath) -> None:
    with HfEngine().open(embedded) as session:
        own: Any = session
        assert weights_in(embedded) == sum(parameter.numel() for parameter in own.model.parameters())


@pytest.mark.usefixtures("fast")
def test_a_small_model_stays_as_it_is_stored(embedded: FilePath) -> None:
    assert not gains_by_bfloat16(embedded)
    assert automatic(embedded, "cpu") == "auto"
    with HfEngine(device="cpu").open(embedded) as session:
        own: Any = session
        assert {parameter.dtype for parameter in own.model.parameters()} == {torch.float32}


@pytest.mark.usefixtures("fast")
def test_a_large_model_is_bfloat16_on_a_cpu_alone(embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "GAINS", 1000)
    assert (automatic(embedded, "cpu"), automatic(embedded, "cuda")) == ("bfloat16", "auto")
    with HfEngine(device="cpu").open(embedded) as session:
        own: Any = session
        assert own.model.dtype == torch.bfloat16
        assert own.model.get_decoder().rotary_emb.inv_freq.dtype == torch.float32, "positions stay exact"
    with HfEngine(device="cpu", dtype="float32").open(embedded) as session:
        own = session
        assert own.model.dtype == torch.float32, "who names a precision has it"


def test_on_a_slow_cpu_nothing_changes(embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "GAINS", 1000)
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: False)
    assert automatic(embedded, "cpu") == "auto"


def test_a_model_in_bfloat16_has_exact_logits_of_the_likeliest_tokens(embedded: FilePath) -> None:
    """Of its own hidden states: bfloat16 leaves two to three digits of them, as it does of the others."""
    with HfEngine(device="cpu", dtype="bfloat16").open(embedded) as session:
        own: Any = session
        with torch.inference_mode():
            ids = torch.tensor([own.encode(CHAT)])
            hidden_TD = own.model.get_decoder()(ids).last_hidden_state[0]
            exact_TV = hidden_TD.double() @ own.model.get_output_embeddings().weight.double().T
            logits_TV = own.model(ids).logits[0]
    assert logits_TV.dtype == torch.float32
    difference_TV = (logits_TV.double() - exact_TV).abs()
    likeliest_TV = exact_TV >= exact_TV.topk(EXACT // 4, -1).values[:, -1:]
    assert float(difference_TV[likeliest_TV].max()) < 1e-4
    assert 1e-3 < float(difference_TV.max()) < float(exact_TV.abs().max()) / 100


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_was_sampled_is_scored_alike(embedded: FilePath, dtype: Any) -> None:
    with HfEngine(device="cpu", dtype=dtype).open(embedded) as session:
        made = dict(session.sample([CHAT], seeds=[1], temperature=1.0, top_p=1.0, max_new_tokens=40))[0]
        [scored] = session.logprobs(CHAT, [made.token_ids])
    assert made.logprobs == pytest.approx(scored, abs=1e-4 if dtype == "float32" else 0.25)


@real
@pytest.mark.realdata
@pytest.mark.skipif(not fast_bfloat16(), reason="this CPU does not multiply bfloat16")
def test_smollm2_is_bfloat16_by_default_and_close_to_float32() -> None:
    assert gains_by_bfloat16(SMOLLM)
    found = {}
    for dtype in ("auto", "float32"):
        with HfEngine(device="cpu", dtype=dtype).open(SMOLLM) as session:  # type: ignore[arg-type]
            own: Any = session
            tokens = own.tokenizer(" 9.9 is larger than 9.11.", add_special_tokens=False)["input_ids"]
            found[dtype] = session.logprobs(CHAT, [tokens])[0]
    assert found["auto"] != found["float32"]
    assert found["auto"] == pytest.approx(found["float32"], abs=0.5)
