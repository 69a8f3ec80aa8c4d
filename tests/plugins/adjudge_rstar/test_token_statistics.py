"""`token_statistics`: every backend against the float64 reference, in one suite; see `test_token_logprobs` for where the backends run."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest
import torch
from torch import Tensor

from adjudge_rstar import TokenStatistics, token_logprobs, token_statistics

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TRITON = importlib.util.find_spec("triton") is not None and (DEVICE == "cuda" or INTERPRETED)
BACKENDS = ["chunked", *(["hybrid", "fused"] if TRITON else [])]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "temperature": {"temperature": 0.6},
    "all": {"temperature": 1.7, "logit_scale": 1.5, "softcap": 5.0},
    "turned": {"logit_scale": -0.5},
}
SMALL = 0.01 if INTERPRETED else 0.05
"""MiB: some hundred columns, so that small vocabularies are met in several pieces."""
TOP = 2 if INTERPRETED else 5
"""Each goes through a tile of columns for every token."""


def draw(tokens: int, width: int, vocabulary: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, head and targets; logits have a standard deviation of 2."""
    make = torch.Generator().manual_seed(tokens + width + vocabulary)
    hidden_TD, head_VD = torch.randn(tokens, width, generator=make), torch.randn(vocabulary, width, generator=make) * (2 / width**0.5)
    return hidden_TD.to(DEVICE, dtype), head_VD.to(DEVICE, dtype), torch.randint(vocabulary, (tokens,), generator=make).to(DEVICE)


def both(backend: str, *tensors: Tensor, **options: Any) -> tuple[TokenStatistics, TokenStatistics]:
    """By this backend and by the reference."""
    found = token_statistics(*tensors, backend=backend, workspace_mib=SMALL, **options)
    return found, token_statistics(*tensors, backend="reference", **options)


def assert_close(found: TokenStatistics, expected: TokenStatistics) -> None:
    for name, error in {"logprob_T": 1e-4, "entropy_T": 2e-4, "log_z_T": 1e-4, "mean_logit_T": 1e-5, "p_squared_T": 1e-5}.items():
        value_T, right_T = getattr(found, name), getattr(expected, name)
        assert (value_T.dtype, right_T.dtype) == (torch.float32, torch.float64)
        torch.testing.assert_close(value_T.double(), right_T, atol=error, rtol=0)
    assert found.rank_T.dtype == torch.int64
    assert torch.equal(found.rank_T, expected.rank_T)
    assert torch.equal(found.top_id_TK, expected.top_id_TK)
    torch.testing.assert_close(found.top_logprob_TK.double(), expected.top_logprob_TK, atol=1e-4, rtol=0)
    assert (found.id_logprob_TK is None) == (expected.id_logprob_TK is None)
    if found.id_logprob_TK is not None and expected.id_logprob_TK is not None:
        torch.testing.assert_close(found.id_logprob_TK.double(), expected.id_logprob_TK, atol=1e-4, rtol=0)


@every_backend
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
def test_agrees_with_float64(backend: str, settings: dict[str, Any], bias: bool) -> None:
    tokens, vocabulary = (19, 215) if INTERPRETED else (37, 533)
    tensors = draw(tokens, 48, vocabulary)
    bias_V = torch.linspace(-3, 3, vocabulary, device=DEVICE) if bias else None
    ids = torch.tensor([0, vocabulary - 1, 7, 7], device=DEVICE)
    assert_close(*both(backend, *tensors, bias_V=bias_V, ids=ids, top=TOP, **settings))


@every_backend
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_sixteen_bit_inputs(backend: str, dtype: torch.dtype) -> None:
    tensors = draw(19, 64, 215 if INTERPRETED else 515, dtype)
    assert_close(*both(backend, *tensors, ids=tensors[2].unsqueeze(1), top=TOP))


@every_backend
@pytest.mark.parametrize(
    ("tokens", "width", "vocabulary"), [(1, 1, 1), (1, 4, 3), (5, 7, 257), (17, 33, 256), (2, 16, 1025), (35 if INTERPRETED else 70, 8, 64)]
)
def test_odd_sizes_down_to_the_whole_vocabulary(backend: str, tokens: int, width: int, vocabulary: int) -> None:
    more = min(vocabulary, 70)
    assert_close(*both(backend, *draw(tokens, width, vocabulary), top=more, ids=torch.arange(more, device=DEVICE)))


def test_many_columns_at_once() -> None:
    """Wide pieces, in which blocks of columns are looked through first, and one with a rest."""
    tensors = draw(9, 16, 21_003)
    found = token_statistics(*tensors, top=20, backend="chunked", workspace_mib=0.3)
    assert_close(found, token_statistics(*tensors, top=20, backend="reference"))


@every_backend
def test_the_target_itself_is_as_in_token_logprobs(backend: str) -> None:
    """To the bit, but for `fused`, which may work in narrower tiles here."""
    tensors = draw(12, 32, 400)
    found = token_statistics(*tensors, top=0, backend=backend)
    logprob_T, entropy_T = token_logprobs(*tensors, entropy=True, backend=backend)
    error = 1e-5 if backend == "fused" else 0
    torch.testing.assert_close(found.logprob_T, logprob_T, atol=error, rtol=0)
    torch.testing.assert_close(found.entropy_T, entropy_T, atol=error, rtol=0)
    assert found.top_id_TK.shape == found.top_logprob_TK.shape == (12, 0)


@every_backend
def test_ties_and_near_ties_never_stand_above_the_target(backend: str) -> None:
    """Rows of the head that are copies of the target's, or differ in the last bits; one that is really above."""
    hidden_TD, head_VD, _ = draw(8, 24, 300)
    head_VD = head_VD * 0.01
    best = hidden_TD[0] / hidden_TD[0].norm()
    head_VD[10] = best
    head_VD[[3, 250]] = best
    head_VD[200] = best * (1 + 2**-22)
    head_VD[77] = best * 1.01
    target_T = torch.tensor([10, 3, 250, 200, 77, 10, 3, 250], device=DEVICE)
    for found in both(backend, hidden_TD[:1].expand(8, -1), head_VD, target_T, top=5):
        assert found.rank_T.tolist() == [2, 2, 2, 2, 1, 2, 2, 2]
        assert found.top_id_TK[:, 0].tolist() == [77] * 8


@every_backend
def test_all_tokens_alike_rank_first(backend: str) -> None:
    hidden_TD, head_VD = torch.ones(3, 8, device=DEVICE), torch.full((300, 8), -7.0, device=DEVICE)
    found = token_statistics(hidden_TD, head_VD, torch.tensor([0, 150, 299], device=DEVICE), top=3, backend=backend, workspace_mib=SMALL)
    assert found.rank_T.tolist() == [1, 1, 1]
    assert found.p_squared_T.tolist() == pytest.approx([1 / 300] * 3)
    assert found.mean_logit_T.tolist() == [-56.0] * 3


@every_backend
@pytest.mark.parametrize("offset", [1e5, -1e5, 70.0])
def test_logits_far_from_zero(backend: str, offset: float) -> None:
    hidden_TD, head_VD, target_T = draw(9, 16, 300)
    hidden_TD, head_VD = (hidden_TD * 4).round(), (head_VD * 4).round()
    found, expected = both(backend, hidden_TD, head_VD, target_T, bias_V=torch.full((300,), offset, device=DEVICE))
    torch.testing.assert_close(found.entropy_T.double(), expected.entropy_T, atol=2e-4, rtol=0)
    torch.testing.assert_close(found.logprob_T.double(), expected.logprob_T, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.p_squared_T.double(), expected.p_squared_T, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.log_z_T.double(), expected.log_z_T, atol=0, rtol=1e-6)
    assert torch.equal(found.rank_T, expected.rank_T)


@every_backend
def test_banned_tokens_stand_above_nothing(backend: str) -> None:
    hidden_TD, head_VD, target_T = draw(9, 16, 700)
    bias_V = torch.zeros(700, device=DEVICE)
    bias_V[:300] = bias_V[512:] = float("-inf")
    found, expected = both(backend, hidden_TD, head_VD, 300 + target_T % 212, bias_V=bias_V, top=4)
    assert torch.equal(found.rank_T, expected.rank_T)
    assert torch.equal(found.top_id_TK, expected.top_id_TK)
    assert (found.mean_logit_T == float("-inf")).all()
    banned = token_statistics(hidden_TD, head_VD, target_T % 300, bias_V=bias_V, backend=backend, workspace_mib=SMALL)
    assert (banned.rank_T == 213).all()


@every_backend
@pytest.mark.parametrize("top", [0, 4])
def test_a_few_banned_tokens_have_no_share(backend: str, top: int) -> None:
    """One in each piece, among tokens that count."""
    hidden_TD, head_VD, target_T = draw(9, 16, 700)
    bias_V = torch.zeros(700, device=DEVICE)
    bias_V[::90] = float("-inf")
    found, expected = both(backend, hidden_TD, head_VD, target_T // 90 * 90 + 1, bias_V=bias_V, top=top)
    for name in ("logprob_T", "entropy_T", "log_z_T", "p_squared_T"):
        torch.testing.assert_close(getattr(found, name).double(), getattr(expected, name), atol=2e-4, rtol=0)
    assert torch.equal(found.rank_T, expected.rank_T)
    assert torch.equal(found.top_id_TK, expected.top_id_TK)


@every_backend
@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_what_is_not_a_number_has_no_rank(backend: str) -> None:
    hidden_TD, head_VD, target_T = draw(5, 8, 300)
    hidden_TD[2, 3] = float("nan")
    found = token_statistics(hidden_TD, head_VD, target_T, backend=backend, workspace_mib=SMALL)
    assert [rank == 0 for rank in found.rank_T.tolist()] == [False, False, True, False, False]
    assert found.entropy_T.isnan().tolist() == found.p_squared_T.isnan().tolist() == [False, False, True, False, False]


@every_backend
@pytest.mark.parametrize("shared", [True, False], ids=["ids of all", "ids of each"])
def test_gradients_through_ids_entropy_and_log_z(backend: str, shared: bool) -> None:
    hidden_TD, head_VD, target_T = draw(11, 24, 333)
    rows_T = torch.arange(11, device=DEVICE).clamp(max=8)
    target_T = target_T.index_fill(0, torch.tensor([4], device=DEVICE), -100)
    ids = torch.tensor([5, 330, 5], device=DEVICE) if shared else torch.stack([target_T.clamp(min=0), 332 - target_T.clamp(min=0)], 1)
    gradients = {}
    for name in (backend, "reference"):
        leaves = [tensor.clone().requires_grad_() for tensor in (hidden_TD, head_VD, torch.linspace(-1, 1, 333, device=DEVICE))]
        found = token_statistics(
            leaves[0], leaves[1], target_T, ids=ids, bias_V=leaves[2], rows_T=rows_T, softcap=6.0, backend=name, workspace_mib=SMALL
        )
        assert found.id_logprob_TK is not None
        assert not found.p_squared_T.requires_grad
        weight_TK = torch.linspace(-1, 2, found.id_logprob_TK.numel(), device=DEVICE).view(found.id_logprob_TK.shape)
        ((found.id_logprob_TK * weight_TK).sum() + found.log_z_T.square().sum() + found.entropy_T.sum() - found.logprob_T.sum()).backward()
        gradients[name] = [leaf.grad for leaf in leaves]
    for one, right in zip(gradients[backend], gradients["reference"], strict=True):
        assert one is not None
        torch.testing.assert_close(one, right, atol=1e-4, rtol=1e-4)


@every_backend
@pytest.mark.parametrize("tokens", [0, 4])
def test_ignored_targets_give_nothing(backend: str, tokens: int) -> None:
    hidden_TD, head_VD, _ = draw(tokens, 8, 30)
    target_T = torch.full((tokens,), -100, device=DEVICE)
    found = token_statistics(hidden_TD, head_VD, target_T, ids=torch.tensor([1, 2], device=DEVICE), top=3, backend=backend)
    assert found.id_logprob_TK is not None
    assert found.rank_T.tolist() == found.log_z_T.tolist() == [0] * tokens
    assert found.id_logprob_TK.shape == (tokens, 2)
    assert found.top_id_TK.shape == (tokens, 3)


@pytest.mark.skipif(not TRITON, reason="needs a GPU, or Triton's interpreter")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fused_gives_the_same_bits_in_any_company(dtype: torch.dtype) -> None:
    # two tiles of rows, and more of columns than the vocabulary goes in parts
    tokens, vocabulary = (17, 200) if INTERPRETED else (150, 700)
    hidden_TD, head_VD, target_T = draw(tokens, 32, vocabulary, dtype)
    ids = torch.tensor([5, vocabulary - 1], device=DEVICE)
    whole = token_statistics(hidden_TD, head_VD, target_T, ids=ids, top=TOP, backend="fused")
    order = torch.randperm(tokens, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    moved = token_statistics(hidden_TD[order], head_VD, target_T[order], ids=ids, top=TOP, backend="fused")
    names = [*TokenStatistics.__dataclass_fields__]
    assert all(torch.equal(getattr(whole, name)[order], getattr(moved, name)) for name in names)
    for rows in (slice(0, 1), slice(tokens - 1, tokens), slice(tokens * 4 // 5, tokens)):
        alone = token_statistics(hidden_TD[rows], head_VD, target_T[rows], ids=ids, top=TOP, backend="fused")
        assert all(torch.equal(getattr(whole, name)[rows], getattr(alone, name)) for name in names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": torch.tensor([0.0])}, "ids must be integers"),
        ({"ids": torch.tensor([[0], [1]])}, r"ids must be integers of shape \(K,\) or \(T, K\) with T = 3"),
        ({"ids": torch.tensor([0, 9])}, r"ids must lie in \[0, 9\); they run from 0 to 9"),
        ({"ids": torch.zeros(2, dtype=torch.long, device="meta")}, "ids must be on the device"),
        ({"top": 10}, r"top must lie in \[0, 9\], not 10"),
        ({"top": -1}, "top must lie in"),
    ],
)
def test_what_does_not_fit_is_an_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        token_statistics(torch.zeros(3, 4), torch.zeros(9, 4), torch.tensor([0, 1, 2]), **change)


@pytest.mark.skipif(DEVICE != "cpu", reason="how a CPU multiplies 16-bit numbers")
def test_a_cpus_shortcut_for_bf16_stays_within_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is back afterwards, and is left alone where other threads could see it."""
    import threading

    from adjudge_rstar.chunked import bf16_factors

    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    with bf16_factors():
        assert matmul.fp32_precision == "bf16"
    assert matmul.fp32_precision == before
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    with bf16_factors():
        assert matmul.fp32_precision == before
