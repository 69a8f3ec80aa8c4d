"""The kernels of `hybrid` against the same steps in torch: on a GPU natively, elsewhere in Triton's interpreter (TRITON_INTERPRET=1)."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

from adjudge_rstar import chunked
from adjudge_rstar.statistics import Running, Stats, Transform

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytestmark = pytest.mark.skipif(
    DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1", reason="needs a GPU, or Triton's interpreter: TRITON_INTERPRET=1"
)
TRANSFORMS = [Transform(), Transform(temperature=0.5, logit_scale=2.0), Transform(temperature=2.0, logit_scale=-0.5, softcap=5.0)]
CHUNKS = [(0, 150), (150, 151), (151, 300)]
"""Columns that come together: more than one block, a single one, and the rest."""


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Products with room between the rows, bias, and targets in and around token ids 1000 to 1299."""
    torch.manual_seed(0)
    product_TC = (torch.randn(9, 310) * 4).to(DEVICE)[:, 3:303]
    target_T = torch.tensor([1000, 1149, 1150, 1151, 1299, 1300, 999, -100, 1200], device=DEVICE)
    return product_TC, torch.randn(300).to(DEVICE), target_T


def folded(product_TC: Tensor, bias_C: Tensor | None, target_T: Tensor, transform: Transform, *, entropy: bool = True) -> Running:
    """By the kernel, chunk after chunk."""
    from adjudge_rstar.kernel import fold

    running = Running.start(len(product_TC), product_TC)
    for first, last in CHUNKS:
        bias = None if bias_C is None else bias_C[first:last]
        fold(product_TC[:, first:last], bias, target_T, 1000 + first, running, transform, entropy=entropy)
    return running


def oracle(product_TC: Tensor, bias_C: Tensor | None, target_T: Tensor, transform: Transform) -> Stats:
    """In float64 and all at once."""
    running = Running.start(len(product_TC), product_TC.double())
    bias = None if bias_C is None else bias_C.double()
    chunked.fold(product_TC.double(), bias, target_T, 1000, running, transform, entropy=True)
    return running.finish()


@pytest.mark.parametrize(("biased", "targets"), [(False, torch.int32), (True, torch.int64)])
@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_chunks_fold_to_the_float64_statistics(transform: Transform, biased: bool, targets: torch.dtype) -> None:
    product_TC, bias_C, target_T = inputs()
    before_TC = product_TC.clone()
    stats = folded(product_TC, bias_C if biased else None, target_T.to(targets), transform).finish()
    expected = oracle(product_TC, bias_C if biased else None, target_T, transform)
    for found, right in zip(stats, expected, strict=True):
        torch.testing.assert_close(found.double(), right, atol=2e-5, rtol=0)
    assert torch.equal(product_TC, before_TC)


def test_without_entropy_the_weighted_sum_is_left_alone() -> None:
    product_TC, bias_C, target_T = inputs()
    running = folded(product_TC, bias_C, target_T, TRANSFORMS[0], entropy=False)
    assert not running.weighted_T.any()
    torch.testing.assert_close(running.sum_T, folded(product_TC, bias_C, target_T, TRANSFORMS[0]).sum_T)


def test_banned_columns_first_or_alone() -> None:
    product_TC, bias_C, target_T = inputs()
    bias_C[:200], bias_C[205:] = -torch.inf, -torch.inf
    stats = folded(product_TC, bias_C, target_T, TRANSFORMS[0]).finish()
    allowed = (product_TC[:, 200:205] + bias_C[200:205]).double()
    torch.testing.assert_close(stats.entropy_T.double(), torch.distributions.Categorical(logits=allowed).entropy(), atol=2e-5, rtol=0)
    nothing = folded(product_TC, torch.full_like(bias_C, -torch.inf), target_T, TRANSFORMS[0])
    assert nothing.sum_T.tolist() == [0.0] * 9
    assert nothing.weighted_T.tolist() == [0.0] * 9


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_huge_logits_and_nan() -> None:
    product_TC, _, target_T = inputs()
    product_TC[0], product_TC[1], product_TC[2], product_TC[3, 7] = 1e5, -1e5, torch.nan, torch.nan
    stats = folded(product_TC, None, target_T, TRANSFORMS[0]).finish()
    assert stats.logprob_T[:2].tolist() == pytest.approx([-(torch.tensor(300.0).log().item())] * 2)
    assert stats.logprob_T.isnan().tolist() == [False, False, True, True, False, False, False, False, False]
    assert stats.entropy_T.isnan().tolist() == stats.logprob_T.isnan().tolist()


@pytest.mark.parametrize(("out", "biased"), [("in place", True), (torch.float32, False), (torch.bfloat16, True), (torch.float16, False)])
@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_the_gradient_is_that_of_float64(transform: Transform, biased: bool, out: torch.dtype | str) -> None:
    from adjudge_rstar.kernel import logit_gradient

    product_TC, bias_C, target_T = inputs()
    bias = bias_C if biased else None
    stats = folded(product_TC, bias, target_T, transform).finish()
    gradients = Stats(*(torch.randn(9, device=DEVICE) for _ in range(4)))
    expected_TC = torch.empty_like(product_TC, dtype=torch.float64)
    chunked.logit_gradient(
        product_TC.double(), None if bias is None else bias.double(), target_T, 1000, Stats(*(value.double() for value in stats)),
        Stats(*(value.double() for value in gradients)), transform, expected_TC,
    )  # fmt: skip
    out_TC = product_TC if isinstance(out, str) else torch.empty(9, 300, dtype=out, device=DEVICE)
    for first, last in CHUNKS:
        part = None if bias is None else bias[first:last]
        logit_gradient(product_TC[:, first:last], part, target_T, 1000 + first, stats, gradients, transform, out_TC[:, first:last])
    rounding = torch.finfo(out_TC.dtype).eps
    torch.testing.assert_close(out_TC.double(), expected_TC, atol=1e-5, rtol=rounding if rounding > 1e-5 else 1e-5)


def test_a_broadcast_gradient_and_a_banned_token() -> None:
    from adjudge_rstar.kernel import logit_gradient

    product_TC, bias_C, target_T = inputs()
    bias_C[7] = -torch.inf
    stats = folded(product_TC, bias_C, target_T, TRANSFORMS[0]).finish()
    gradients = Stats(*(torch.tensor(value, device=DEVICE).expand(9) for value in (0.0, 2.0, -1.0, 0.5)))
    even = Stats(*(value.contiguous() for value in gradients))
    one_TC, other_TC = torch.empty(2, 9, 300, device=DEVICE)
    logit_gradient(product_TC, bias_C, target_T, 1000, stats, gradients, TRANSFORMS[0], one_TC)
    logit_gradient(product_TC, bias_C, target_T, 1000, stats, even, TRANSFORMS[0], other_TC)
    assert torch.equal(one_TC, other_TC)
    assert one_TC[:, 7].tolist() == [0.0] * 9
