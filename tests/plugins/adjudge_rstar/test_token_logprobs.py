"""`token_logprobs`: the chunked fp32 backend against the float64 reference, on random numbers and on a real model."""

from __future__ import annotations

from pathlib import Path as FilePath

import pytest
import torch

from adjudge_rstar import backends, token_logprobs

STORIES = FilePath(__file__).parents[4] / "shared" / "data" / "stories260K" / "hf"


@pytest.mark.parametrize(("tokens", "width", "vocabulary"), [(0, 8, 11), (1, 4, 3), (37, 64, 1000), (300, 16, 5003)])
def test_chunked_agrees_with_the_reference(monkeypatch: pytest.MonkeyPatch, tokens: int, width: int, vocabulary: int) -> None:
    monkeypatch.setattr(backends, "CHUNK_LOGITS", 20_000)
    torch.manual_seed(0)
    hidden_TD, head_VD = torch.randn(tokens, width), torch.randn(vocabulary, width)
    target_T = torch.randint(vocabulary, (tokens,))
    found = token_logprobs(hidden_TD, head_VD, target_T)
    expected = token_logprobs(hidden_TD, head_VD, target_T, backend="reference")
    assert expected.dtype == torch.float64
    assert found.shape == (tokens,)
    assert torch.allclose(found.double(), expected, atol=1e-5, rtol=0)


def test_chunked_never_holds_all_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    gather = backends.gather
    monkeypatch.setattr(backends, "CHUNK_LOGITS", 1000)
    monkeypatch.setattr(backends, "gather", lambda logits, target: (seen.append(logits.numel()), gather(logits, target))[1])
    token_logprobs(torch.randn(64, 8), torch.randn(100, 8), torch.zeros(64, dtype=torch.long))
    assert len(seen) == 7
    assert max(seen) <= 1000


@pytest.mark.parametrize(
    ("hidden", "head", "target", "message"),
    [
        ((3, 4), (9, 5), [0, 1, 2], "hidden must be"),
        ((3, 4), (9, 4), [0, 1], "target must be"),
        ((3, 4), (9, 4), [0, 1, 9], "targets must lie"),
        ((3, 4), (9, 4), [0, -1, 2], "targets must lie"),
    ],
)
def test_what_does_not_fit_is_an_error(hidden: tuple[int, int], head: tuple[int, int], target: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        token_logprobs(torch.zeros(hidden), torch.zeros(head), torch.tensor(target))


@pytest.mark.realdata
@pytest.mark.skipif(not STORIES.is_dir(), reason=f"no real model at {STORIES}")
def test_a_real_model_scores_its_own_text_alike_in_both_precisions() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(STORIES), AutoModelForCausalLM.from_pretrained(STORIES).eval()
    ids = torch.tensor([tokenizer("Once upon a time, there was a little girl named Lily. She loved to play outside.")["input_ids"]])
    with torch.inference_mode():
        hidden_TD = model.get_decoder()(ids).last_hidden_state[0, :-1]
        logits_TV = model(ids).logits[0, :-1].double()
        head_VD, target_T = model.get_output_embeddings().weight, ids[0, 1:]
        direct = logits_TV.log_softmax(-1).gather(-1, target_T.unsqueeze(-1)).squeeze(-1)
        chunked = token_logprobs(hidden_TD, head_VD, target_T)
        reference = token_logprobs(hidden_TD, head_VD, target_T, backend="reference")
    assert torch.allclose(chunked.double(), reference, atol=1e-5, rtol=0)
    assert torch.allclose(reference, direct, atol=1e-5, rtol=0)
    assert float(reference.mean()) > -2, "a trained model is far better than chance on its own kind of text"
