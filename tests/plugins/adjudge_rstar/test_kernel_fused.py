"""The `fused` kernel against float64: on a GPU natively, elsewhere in Triton's interpreter (run with TRITON_INTERPRET=1)."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import Tensor

from adjudge_rstar.statistics import Running, Transform
from adjudge_rstar.tiles import Tiles

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="needs a GPU, or Triton's interpreter: TRITON_INTERPRET=1")
PLAIN = Transform()
FULL = Transform(temperature=0.7, logit_scale=1.5, softcap=8.0)


def fused(*arguments: Any, **options: Any) -> Running:
    from adjudge_rstar.fused import fused

    return fused(*arguments, **options)


def inputs(
    tokens: int, width: int, vocabulary: int, dtype: torch.dtype = torch.float32, spread: float = 3.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Random hidden states and head whose logits have this standard deviation, and targets."""
    torch.manual_seed(tokens + width + vocabulary)
    hidden_TD = (torch.randn(tokens, width) * spread / width**0.5).to(dtype).to(DEVICE)
    return hidden_TD, torch.randn(vocabulary, width).to(dtype).to(DEVICE), torch.randint(vocabulary, (tokens,)).to(DEVICE)


def oracle(hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor | None, transform: Transform) -> Tensor:
    """Logits in float64."""
    product_TV = hidden_TD.double() @ head_VD.double().T
    product_TV = (product_TV if bias_V is None else product_TV + bias_V.double()) * transform.logit_scale
    if transform.softcap is not None:
        product_TV = transform.softcap * torch.tanh(product_TV / transform.softcap)
    return product_TV / transform.temperature


def check(running: Running, logit_TV: Tensor, target_T: Tensor, start: int = 0, *, entropy: bool = True) -> None:
    """Log-sum-exp, entropy and target logit are those of the float64 logits, within what the issue allows."""
    stats, logprob_TV = running.finish(), logit_TV.log_softmax(-1)
    torch.testing.assert_close((stats.max_T + stats.log_sum_T).double(), logit_TV.logsumexp(-1), atol=5e-5, rtol=0)
    local_T = target_T.long() - start
    inside_T = (local_T >= 0) & (local_T < logit_TV.shape[1])
    found_T = logit_TV.gather(1, local_T.clamp(0, logit_TV.shape[1] - 1).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(stats.target_T.double(), torch.where(inside_T, found_T, 0.0), atol=5e-5, rtol=0)
    if entropy:
        expected_T = -torch.special.xlogy(logprob_TV.exp(), logprob_TV.exp()).sum(-1)
        torch.testing.assert_close(stats.entropy_T.double(), expected_T, atol=2e-4, rtol=0)
    else:
        assert not running.weighted_T.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("tokens", "width", "vocabulary"), [(1, 8, 1), (1, 64, 257), (19, 40, 300), (17, 33, 65), (3, 7, 640)])
def test_any_shape_and_type_gives_the_float64_statistics(tokens: int, width: int, vocabulary: int, dtype: torch.dtype) -> None:
    hidden_TD, head_VD, target_T = inputs(tokens, width, vocabulary, dtype)
    running = fused(hidden_TD, head_VD, None, target_T, 0, PLAIN, entropy=True)
    check(running, oracle(hidden_TD, head_VD, None, PLAIN), target_T)


@pytest.mark.parametrize("width", [24, 27], ids=["aligned", "unaligned"])
@pytest.mark.parametrize(
    "transform", [PLAIN, FULL, Transform(temperature=0.3), Transform(logit_scale=-0.5), Transform(softcap=2.0)], ids=repr
)
@pytest.mark.parametrize("biased", [False, True])
def test_bias_and_transform(transform: Transform, biased: bool, width: int) -> None:
    hidden_TD, head_VD, target_T = inputs(15, width, 150, torch.bfloat16)
    bias_V = torch.randn(150, device=DEVICE).to(torch.bfloat16) if biased else None
    running = fused(hidden_TD, head_VD, bias_V, target_T, 0, transform, entropy=True)
    check(running, oracle(hidden_TD, head_VD, bias_V, transform), target_T)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_a_shard_takes_only_its_own_targets(dtype: torch.dtype) -> None:
    hidden_TD, head_VD, _ = inputs(12, 16, 100)
    target_T = torch.tensor([0, 999, 1000, 1001, 1050, 1099, 1100, 1127, 1128, 5000, -100, 1063], dtype=dtype, device=DEVICE)
    running = fused(hidden_TD, head_VD, None, target_T, 1000, PLAIN, entropy=False)
    check(running, oracle(hidden_TD, head_VD, None, PLAIN), target_T, 1000, entropy=False)
    assert (running.target_T != 0).tolist() == [False, False, True, True, True, True, False, False, False, False, False, True]


def test_columns_beyond_the_vocabulary_never_count() -> None:
    """All logits far below 0: a phantom column of logit 0 would take everything."""
    hidden_TD, head_VD = torch.ones(5, 16, device=DEVICE), torch.full((130, 16), -50.0, device=DEVICE)
    target_T = torch.arange(5, device=DEVICE)
    stats = fused(hidden_TD, head_VD, None, target_T, 0, PLAIN, entropy=True).finish()
    torch.testing.assert_close(stats.logprob_T, torch.full_like(stats.logprob_T, -(torch.tensor(130.0).log().item())))
    torch.testing.assert_close(stats.entropy_T, torch.full_like(stats.entropy_T, torch.tensor(130.0).log().item()))


def test_banned_tokens_have_no_share_and_make_no_nan() -> None:
    hidden_TD, head_VD, _ = inputs(6, 16, 200)
    bias_V = torch.zeros(200, device=DEVICE)
    bias_V[:150], bias_V[170:] = -torch.inf, -torch.inf
    target_T = torch.tensor([150, 151, 160, 165, 169, 3], device=DEVICE)
    stats = fused(hidden_TD, head_VD, bias_V, target_T, 0, PLAIN, entropy=True).finish()
    allowed = oracle(hidden_TD, head_VD[150:170], None, PLAIN)
    torch.testing.assert_close(stats.entropy_T.double(), torch.distributions.Categorical(logits=allowed).entropy(), atol=2e-4, rtol=0)
    expected_T = allowed[:5].log_softmax(-1)[range(5), (target_T[:5] - 150).tolist()]
    torch.testing.assert_close(stats.logprob_T[:5].double(), expected_T, atol=1e-4, rtol=0)
    assert stats.logprob_T[5] == -torch.inf


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_huge_logits_stay_exact_and_nan_is_seen() -> None:
    hidden_TD = torch.tensor([[1e5, 0.0], [-1e5, 0.0], [0.0, 1.0], [0.0, torch.nan]], device=DEVICE).repeat(1, 8)[:, :8].contiguous()
    head_VD = torch.zeros(70, 8, device=DEVICE)
    head_VD[3, 0], head_VD[69, 0], head_VD[5, 1] = 1.0, -1.0, 2.0
    stats = fused(hidden_TD, head_VD, None, torch.tensor([3, 69, 5, 0], device=DEVICE), 0, PLAIN, entropy=True).finish()
    assert stats.logprob_T[:2].tolist() == [0.0, 0.0]
    assert stats.entropy_T[:2].tolist() == [0.0, 0.0]
    assert stats.logprob_T[2:].isnan().tolist() == [False, True]
    assert stats.entropy_T[2:].isnan().tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("width", [24, 27], ids=["aligned", "unaligned"])
def test_a_token_has_the_same_bits_in_every_batch(dtype: torch.dtype, width: int) -> None:
    tokens = 37 if INTERPRETED else 75  # several tiles of rows
    hidden_TD, head_VD, target_T = inputs(tokens, width, 150, dtype)
    whole = fused(hidden_TD, head_VD, None, target_T, 0, FULL, entropy=True)
    order_T = torch.randperm(tokens, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    again = fused(hidden_TD[order_T], head_VD, None, target_T[order_T], 0, FULL, entropy=True)
    packed_TW = torch.zeros(tokens, width + 5, dtype=dtype, device=DEVICE)
    packed_TW[:, :width] = hidden_TD
    apart = fused(packed_TW[:, :width], head_VD, None, target_T, 0, FULL, entropy=True)
    for name in ("max_T", "sum_T", "weighted_T", "target_T"):
        values_T = getattr(whole, name)
        assert torch.equal(values_T[order_T], getattr(again, name))
        assert torch.equal(values_T, getattr(apart, name))
    for row in (0, tokens // 2 - 2, tokens - 1):
        alone = fused(hidden_TD[row : row + 1], head_VD, None, target_T[row : row + 1], 0, FULL, entropy=True)
        assert [alone.max_T, alone.sum_T, alone.weighted_T] == [whole.max_T[row], whole.sum_T[row], whole.weighted_T[row]]


@pytest.mark.parametrize("layout", ["transposed head", "head with gaps", "transposed hidden", "broadcast hidden", "strided targets"])
def test_strided_inputs_are_read_as_they_lie(layout: str) -> None:
    hidden_TD, head_VD, target_T = inputs(10, 24, 90)
    if layout == "transposed head":
        head_VD = head_VD.T.contiguous().T
    if layout == "head with gaps":
        head_VD = torch.cat([head_VD, head_VD], 1)[:, :24]
    if layout == "transposed hidden":
        hidden_TD = hidden_TD.T.contiguous().T
    if layout == "broadcast hidden":
        hidden_TD = hidden_TD[:1].expand(10, 24)
    if layout == "strided targets":
        target_T = torch.stack([target_T, target_T - 1], 1)[:, 0]
    check(fused(hidden_TD, head_VD, None, target_T, 0, PLAIN, entropy=True), oracle(hidden_TD, head_VD, None, PLAIN), target_T)


def test_other_tiles_change_the_order_of_sums_only() -> None:
    hidden_TD, head_VD, target_T = inputs(20, 64, 150, torch.float16)
    for tiles in (Tiles(16, 32, 16, warps=4, stages=1), Tiles(64, 128, 32, warps=4, stages=2, tma=True)):
        running = fused(hidden_TD, head_VD, None, target_T, 0, PLAIN, entropy=True, tiles=tiles)
        check(running, oracle(hidden_TD, head_VD, None, PLAIN), target_T)


def test_the_allocator_that_others_gave_triton_stays_theirs() -> None:
    from triton.runtime import _allocation

    before = _allocation._allocator.get()
    fused(*inputs(2, 16, 20)[:2], None, torch.zeros(2, dtype=torch.long, device=DEVICE), 0, PLAIN, entropy=True)
    assert _allocation._allocator.get() is before
