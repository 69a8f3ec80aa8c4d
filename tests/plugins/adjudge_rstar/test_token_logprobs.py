"""`token_logprobs`: every backend against the float64 reference, in one suite.

The Triton backends run natively on a GPU; without one they run in Triton's interpreter, in the process that `test_interpreter.py` starts.
"""

from __future__ import annotations

import importlib.util
import os
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from adjudge_rstar import combine_shards, shard_statistics, token_logprobs

GIVEN = "ADJUDGE_TEST_OWN_TEXT"
"""Variable with the file in which the process that started the interpreter hands on what `own_text` makes, so that one imports for it."""
STORIES = FilePath(__file__).parents[4] / "shared" / "data" / "stories260K" / "hf"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TRITON = importlib.util.find_spec("triton") is not None and (DEVICE == "cuda" or INTERPRETED)
BACKENDS = ["chunked", *(["hybrid", "fused"] if TRITON else [])]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "temperature": {"temperature": 0.6},
    "hot": {"temperature": 5.0},
    "scaled": {"logit_scale": 0.25},
    "capped": {"softcap": 3.0},
    "all": {"temperature": 1.7, "logit_scale": 1.5, "softcap": 5.0},
}
SMALL = 0.01
"""MiB: some hundred columns, so that small vocabularies are met in several pieces."""


def draw(
    tokens: int, width: int, vocabulary: int, dtype: torch.dtype = torch.float32, sharpness: float = 2.0, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, head and targets whose logits have about this standard deviation, like those of a language model."""
    make = torch.Generator().manual_seed(seed)
    hidden_TD = torch.randn(tokens, width, generator=make)
    head_VD = torch.randn(vocabulary, width, generator=make) * (sharpness / width**0.5)
    target_T = torch.randint(vocabulary, (tokens,), generator=make)
    return hidden_TD.to(DEVICE, dtype), head_VD.to(DEVICE, dtype), target_T.to(DEVICE)


def both(backend: str, *tensors: Tensor, **options: Any) -> list[tuple[Tensor, Tensor]]:
    """Log-probabilities and entropies by this backend and by the reference."""
    found = token_logprobs(*tensors, entropy=True, backend=backend, **{"workspace_mib": SMALL, **options})
    expected = token_logprobs(*tensors, entropy=True, backend="reference", **options)
    return list(zip(found, expected, strict=True))


def assert_close(pairs: list[tuple[Tensor, Tensor]]) -> None:
    (logprob, logprob_64), (entropy, entropy_64) = pairs
    assert logprob.dtype == entropy.dtype == torch.float32
    assert logprob_64.dtype == torch.float64
    assert (logprob - logprob_64).abs().max() <= 1e-4
    assert (entropy - entropy_64).abs().max() <= 2e-4
    assert (entropy >= 0).all()


@every_backend
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
def test_agrees_with_float64(backend: str, settings: dict[str, Any], bias: bool) -> None:
    tokens, vocabulary = (19, 215) if INTERPRETED else (37, 333)
    tensors = draw(tokens, 48, vocabulary)
    bias_V = torch.linspace(-3, 3, vocabulary, device=DEVICE) if bias else None
    assert_close(both(backend, *tensors, bias_V=bias_V, **settings))


@every_backend
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_sixteen_bit_inputs_are_not_rounded_again(backend: str, dtype: torch.dtype) -> None:
    """Rounding logits of this size to 16 bits would be wrong by a hundred times the tolerance."""
    assert_close(both(backend, *draw(19, 64, 215 if INTERPRETED else 515, dtype, sharpness=6.0)))


@every_backend
@pytest.mark.parametrize(
    ("tokens", "width", "vocabulary"),
    [(1, 1, 1), (1, 4, 3), (5, 7, 257), (17, 33, 256), (2, 16, 1025), (35 if INTERPRETED else 130, 8, 64)],
)
def test_odd_sizes(backend: str, tokens: int, width: int, vocabulary: int) -> None:
    assert_close(both(backend, *draw(tokens, width, vocabulary)))


@every_backend
def test_a_long_path_adds_up(backend: str) -> None:
    """The sum over 4,096 tokens is within 5e-3 nats."""
    tokens, vocabulary = (257, 300) if INTERPRETED else (4096, 512)  # more tiles of rows than go through the vocabulary together
    tensors = draw(tokens, 32, vocabulary, torch.bfloat16)
    (logprob, expected), _ = both(backend, *tensors, workspace_mib=0.1 if INTERPRETED else SMALL)
    assert abs(float(logprob.double().sum() - expected.sum())) <= 5e-3


@every_backend
@pytest.mark.parametrize("offset", [1e5, -1e5, 70_000.0])
def test_logits_far_from_zero(backend: str, offset: float) -> None:
    """Beyond what fp16 can hold, and all very negative; exact in fp32, so that only the method can be wrong."""
    hidden_TD, head_VD, target_T = draw(9, 16, 300)
    hidden_TD, head_VD = (hidden_TD * 4).round(), (head_VD * 4).round()
    bias_V = torch.full((300,), offset, device=DEVICE)
    assert_close(both(backend, hidden_TD, head_VD, target_T, bias_V=bias_V))


@every_backend
def test_banned_tokens(backend: str) -> None:
    """A bias of -inf on whole pieces of the vocabulary, the first one too."""
    hidden_TD, head_VD, target_T = draw(9, 16, 700)
    bias_V = torch.zeros(700, device=DEVICE)
    bias_V[:300] = bias_V[512:] = float("-inf")
    pairs = both(backend, hidden_TD, head_VD, 300 + target_T % 212, bias_V=bias_V)
    assert_close(pairs)
    banned = token_logprobs(hidden_TD, head_VD, target_T % 300, bias_V=bias_V, backend=backend, workspace_mib=SMALL)
    assert (banned == float("-inf")).all()


@every_backend
def test_a_sure_token_has_no_entropy(backend: str) -> None:
    hidden_TD, head_VD = torch.ones(3, 4, device=DEVICE), torch.zeros(300, 4, device=DEVICE)
    head_VD[7] = 50.0
    target_T = torch.tensor([7, 7, 8], device=DEVICE)
    logprob_T, entropy_T = token_logprobs(hidden_TD, head_VD, target_T, entropy=True, backend=backend)
    assert logprob_T.tolist() == pytest.approx([0.0, 0.0, -200.0])
    assert entropy_T.tolist() == [0.0, 0.0, 0.0]


@every_backend
def test_nan_stays_nan(backend: str) -> None:
    hidden_TD, head_VD, target_T = draw(5, 8, 300)
    hidden_TD[2, 3] = float("nan")
    logprob_T = token_logprobs(hidden_TD, head_VD, target_T, backend=backend, workspace_mib=SMALL)
    assert logprob_T.isnan().tolist() == [False, False, True, False, False]


@every_backend
def test_ignored_targets_give_nothing(backend: str) -> None:
    hidden_TD, head_VD, target_T = draw(12, 16, 300)
    whole = token_logprobs(hidden_TD, head_VD, target_T, entropy=True, backend=backend)
    masked_T = target_T.clone()
    masked_T[[0, 3, 4, 11]] = -100
    hidden_TD = hidden_TD.requires_grad_()
    logprob_T, entropy_T = token_logprobs(hidden_TD, head_VD, masked_T, entropy=True, backend=backend)
    keep = masked_T != -100
    assert logprob_T[~keep].tolist() == entropy_T[~keep].tolist() == [0.0] * 4
    assert torch.allclose(logprob_T[keep], whole[0][keep], atol=1e-6)
    assert torch.allclose(entropy_T[keep], whole[1][keep], atol=1e-6)
    (logprob_T.sum() + entropy_T.sum()).backward()
    assert hidden_TD.grad is not None
    assert (hidden_TD.grad[~keep] == 0).all()
    assert (hidden_TD.grad[keep] != 0).any(1).all()


@every_backend
@pytest.mark.parametrize("tokens", [0, 4])
def test_nothing_to_score(backend: str, tokens: int) -> None:
    """No tokens, or none that count: results of the right shape, zero gradients."""
    hidden_TD, head_VD, _ = draw(tokens, 8, 30)
    hidden_TD, head_VD = hidden_TD.requires_grad_(), head_VD.requires_grad_()
    target_T = torch.full((tokens,), -100, device=DEVICE)
    logprob_T, entropy_T = token_logprobs(hidden_TD, head_VD, target_T, entropy=True, backend=backend)
    assert logprob_T.tolist() == entropy_T.tolist() == [0.0] * tokens
    (logprob_T.sum() + entropy_T.sum()).backward()
    assert head_VD.grad is not None
    assert (head_VD.grad == 0).all()


@every_backend
def test_rows_say_which_hidden_state_predicts(backend: str) -> None:
    """The last row of a prompt predicts the first token of all of its paths."""
    hidden_TD, head_VD, _ = draw(6, 16, 300)
    rows_T, target_T = torch.tensor([5, 5, 5, 0, 2], device=DEVICE), torch.tensor([1, 2, 299, 4, -100], device=DEVICE)
    found = token_logprobs(hidden_TD, head_VD, target_T, rows_T=rows_T, backend=backend)
    expected = token_logprobs(hidden_TD[rows_T], head_VD, target_T, backend="reference")
    assert torch.allclose(found.double(), expected, atol=1e-5)


@every_backend
@pytest.mark.parametrize("integer", [torch.int32, torch.int64], ids=str)
def test_strided_inputs_and_both_integers(backend: str, integer: torch.dtype) -> None:
    hidden_TD, head_VD, target_T = draw(18, 40, 300)
    strided = hidden_TD[::2, 3:35], head_VD.T.contiguous().T[:, 3:35], target_T[::2].to(integer)
    assert not any(tensor.is_contiguous() for tensor in strided[:2])
    assert_close(both(backend, *strided))


@every_backend
def test_two_precisions_meet_in_the_wider(backend: str) -> None:
    hidden_TD, head_VD, target_T = draw(8, 16, 300)
    found = token_logprobs(hidden_TD.bfloat16(), head_VD, target_T, backend=backend)
    assert torch.allclose(found, token_logprobs(hidden_TD.bfloat16().float(), head_VD, target_T, backend=backend))


@every_backend
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients(backend: str, settings: dict[str, Any], dtype: torch.dtype) -> None:
    """Through log-probability and entropy, by hidden states, head and bias; repeated rows, an ignored target."""
    tokens, vocabulary = (18, 200) if INTERPRETED else (21, 333)  # more than a tile of rows
    tensors = draw(tokens, 24, vocabulary, dtype)
    rows_T = torch.arange(tokens, device=DEVICE).clamp(max=tokens - 6)
    target_T = tensors[2].index_fill(0, torch.tensor([4], device=DEVICE), -100)
    weight_T = torch.linspace(-1, 2, tokens, device=DEVICE)
    gradients = {}
    for name in (backend, "reference"):
        leaves = [tensor.clone().requires_grad_() for tensor in (*tensors[:2], torch.linspace(-1, 1, vocabulary, device=DEVICE))]
        logprob_T, entropy_T = token_logprobs(
            leaves[0], leaves[1], target_T, bias_V=leaves[2], rows_T=rows_T, entropy=True, backend=name, workspace_mib=SMALL, **settings
        )
        ((logprob_T * weight_T).sum() + 0.3 * (entropy_T * weight_T.flip(0)).sum()).backward()
        gradients[name] = [leaf.grad for leaf in leaves]
    for found, expected, leaf in zip(gradients[backend], gradients["reference"], leaves, strict=True):
        assert found is not None
        assert expected is not None
        assert found.dtype == leaf.dtype
        assert torch.cosine_similarity(found.double().flatten(), expected.double().flatten(), dim=0) >= 0.9999
        assert torch.allclose(found.norm().double(), expected.norm().double(), rtol=1e-2 if dtype == torch.bfloat16 else 1e-4)


def test_gradients_are_those_of_finite_differences() -> None:
    """Chunked in float64, against numbers that no derivative of ours went into."""
    hidden_TD, head_VD, target_T = (tensor.cpu() for tensor in draw(7, 5, 600))
    leaves = [tensor.double().requires_grad_() for tensor in (hidden_TD, head_VD, torch.linspace(-1, 1, 600))]

    def score(hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor) -> tuple[Tensor, Tensor]:
        options = {"temperature": 0.7, "logit_scale": 1.3, "softcap": 4.0}
        return token_logprobs(hidden_TD, head_VD, target_T, bias_V=bias_V, entropy=True, backend="chunked", workspace_mib=SMALL, **options)

    assert torch.autograd.gradcheck(score, leaves, fast_mode=True)


@every_backend
@pytest.mark.parametrize("cuts", [(0, 100, 333), (0, 1, 200, 200, 333)], ids=["two", "four with an empty one"])
def test_shards_of_the_vocabulary_make_a_whole(backend: str, cuts: tuple[int, ...]) -> None:
    """Values and gradients, as one rank of a tensor-parallel head has them."""
    hidden_TD, head_VD, target_T = draw(11, 16, 333)
    found, expected = [tensor.clone().requires_grad_() for tensor in (hidden_TD, head_VD)], [hidden_TD.clone(), head_VD.clone()]
    expected = [tensor.requires_grad_() for tensor in expected]
    shards = [
        shard_statistics(found[0], found[1][start:stop], target_T, start=start, softcap=4.0, entropy=True, backend=backend)
        for start, stop in pairwise(cuts)
    ]
    whole = combine_shards(shards)
    logprob_T, entropy_T = token_logprobs(*expected, target_T, softcap=4.0, entropy=True, backend="reference")
    assert_close([(whole.logprob_T, logprob_T), (whole.entropy_T, entropy_T)])
    for logprob, entropy in ((whole.logprob_T, whole.entropy_T), (logprob_T, entropy_T)):
        (logprob.sum() + entropy.square().sum()).backward()
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-4)


@pytest.mark.skipif(not TRITON, reason="needs a GPU, or Triton's interpreter")
def test_fused_gives_the_same_bits_in_any_company() -> None:
    """Repeated, alone, in another place, in a larger batch: R⋆ must not change with the batch that a path was scored in."""
    tokens, vocabulary = (35, 200) if INTERPRETED else (150, 700)  # three tiles of rows, and more of columns than there are parts
    hidden_TD, head_VD, target_T = draw(tokens, 32, vocabulary, torch.float16)
    whole = token_logprobs(hidden_TD, head_VD, target_T, entropy=True, backend="fused")
    again = token_logprobs(hidden_TD, head_VD, target_T, entropy=True, backend="fused")
    order = torch.randperm(tokens, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    moved = token_logprobs(hidden_TD[order], head_VD, target_T[order], entropy=True, backend="fused")
    for one, same, other in zip(whole, again, moved, strict=True):
        assert torch.equal(one, same)
        assert torch.equal(one[order], other)
    for rows in (slice(0, 1), slice(tokens - 1, tokens), slice(tokens * 2 // 5, tokens - 1)):
        alone = token_logprobs(hidden_TD[rows], head_VD, target_T[rows], entropy=True, backend="fused")
        assert all(torch.equal(one[rows], other) for one, other in zip(whole, alone, strict=True))


def test_autocast_multiplies_as_a_linear_layer_would() -> None:
    hidden_TD, head_VD, target_T = draw(8, 16, 300)
    with torch.autocast(DEVICE, torch.bfloat16):
        found = token_logprobs(hidden_TD, head_VD, target_T)
    assert torch.equal(found, token_logprobs(hidden_TD.bfloat16(), head_VD.bfloat16(), target_T))


class LargestTensor(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


@pytest.mark.parametrize("entropy", [False, True])
def test_the_workspace_bounds_what_is_held(entropy: bool) -> None:
    """No tensor is larger than the workspace, a hundredth of all logits."""
    with LargestTensor() as largest:
        token_logprobs(*draw(400, 1, 40_000), entropy=entropy, backend="chunked", workspace_mib=0.5)
    assert 0 < largest.elements * 4 <= 0.5 * 2**20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_TD": torch.zeros(3, 5)}, "hidden must be"),
        ({"hidden_TD": torch.zeros(3, 4, 1)}, "hidden must be"),
        ({"head_VD": torch.zeros(9, 4, dtype=torch.int64)}, "head must be of a floating-point type"),
        ({"target_T": torch.tensor([0, 1])}, "target must be"),
        ({"target_T": torch.tensor([0.0, 1.0, 2.0])}, "target must be int32 or int64"),
        ({"target_T": torch.tensor([0, 1, 9])}, r"targets must lie in \[0, 9\) or be -100; target 2 is 9"),
        ({"target_T": torch.tensor([0, -1, 2])}, "target 1 is -1"),
        ({"bias_V": torch.zeros(8)}, "bias must be"),
        ({"rows_T": torch.tensor([0, 1])}, "target must be"),
        ({"rows_T": torch.tensor([0, 1, 3])}, r"rows must lie in \[0, 3\)"),
        ({"hidden_TD": torch.zeros(3, 4, device="meta")}, "one device"),
        ({"temperature": 0.0}, "temperature must be"),
        ({"softcap": -1.0}, "softcap must be"),
        ({"logit_scale": float("nan")}, "logit_scale must be"),
        ({"backend": "quick"}, "no backend 'quick'"),
    ],
)
def test_what_does_not_fit_is_an_error(change: dict[str, Any], message: str) -> None:
    given = {"hidden_TD": torch.zeros(3, 4), "head_VD": torch.zeros(9, 4), "target_T": torch.tensor([0, 1, 2])} | change
    with pytest.raises(ValueError, match=message):
        token_logprobs(given.pop("hidden_TD"), given.pop("head_VD"), given.pop("target_T"), **given)


@pytest.mark.skipif(TRITON, reason="here the Triton backends can be used")
@pytest.mark.parametrize("backend", ["hybrid", "fused"])
def test_a_backend_that_cannot_be_used_says_why(backend: str) -> None:
    with pytest.raises(ValueError, match=f"'{backend}' cannot be used here"):
        token_logprobs(*draw(2, 4, 9), backend=backend)


def own_text() -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states of a real model for a text of its own, its head, and the targets."""
    if GIVEN in os.environ:
        return torch.load(os.environ[GIVEN])
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(STORIES), AutoModelForCausalLM.from_pretrained(STORIES).eval()
    ids = torch.tensor([tokenizer("Once upon a time, there was a little girl named Lily. She loved to play outside.")["input_ids"]])
    with torch.no_grad():
        return model.get_decoder()(ids).last_hidden_state[0, :-1], model.lm_head.weight.detach(), ids[0, 1:]


@every_backend
@pytest.mark.realdata
@pytest.mark.skipif(not STORIES.is_dir(), reason=f"no real model at {STORIES}")
def test_a_real_model_scores_its_own_text_alike(backend: str) -> None:
    assert_close(both(backend, *(tensor.to(DEVICE) for tensor in own_text())))
