"""The Triton kernels of `hybrid`: fold a chunk of raw products into the running statistics in one pass, and turn it into its gradient.

Also what these and the `fused` kernel share: from product to logit, and the online log-sum-exp. Everything is fp32. Importing this
needs Triton; without a GPU the kernels run in its interpreter, where TRITON_INTERPRET=1 is set before Triton is first imported.
Shapes: T tokens, C columns of one chunk; inside kernels R rows and C columns of one block.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from .statistics import More, Running, Stats, Transform

LOG2_E = tl.constexpr(math.log2(math.e))
LOWEST = tl.constexpr(-200.0)
"""exp of it, and 2 to it, are 0 in fp32; keeps 0 · inf out of the entropy of banned tokens."""
BLOCK = {"ROWS": 1, "BLOCK": 2048}
"""Rows of one program, and columns that it holds at a time."""
INTERPRETED_BLOCK = {"ROWS": 16, "BLOCK": 128}
"""The same in the interpreter, where few programs are fast and small shapes should have several blocks."""
COMPILE = {"enable_fp_fusion": True}
"""Multiply and add in one rounding; said aloud because Triton's default changes."""


@triton.jit
def capped(product, inner):
    """tanh of the product times inner / (2 log2 e), from exp2 alone: fast and within 1e-7 on every device and in the interpreter."""
    return 1.0 - 2.0 / (1.0 + tl.exp2(product * inner))


@triton.jit
def absorb(logit_RC, column_C, real_C, target_R, threshold_R, max_R, sum_R, weighted_R, found_R, square_R, total_R, above_R,
           ENTROPY: tl.constexpr, MORE: tl.constexpr):  # fmt: skip
    """Online log-sum-exp: take a block of logits in; a banned column's logit is -inf.

    max_R stays finite, so that nothing is inf - inf; the weighted sum is kept relative to it, and moves along when it does. Logits are
    in nats and only their distance from the maximum is turned into bits: that keeps large logits as exact as they came.
    """
    new_R = tl.maximum(max_R, tl.max(logit_RC, 1))
    step_R = max_R - new_R
    shrink_R = tl.exp2(step_R * LOG2_E)
    below_RC = logit_RC - new_R[:, None]
    weight_RC = tl.exp2(below_RC * LOG2_E)
    if ENTROPY:
        moved_R = (weighted_R + sum_R * step_R) * shrink_R
        weighted_R = moved_R + tl.sum(weight_RC * tl.maximum(below_RC, LOWEST), 1)
    sum_R = sum_R * shrink_R + tl.sum(weight_RC, 1)
    hit_RC = column_C[None, :] == target_R[:, None]
    found_R += tl.sum(tl.where(hit_RC, logit_RC, 0.0), 1)
    if MORE:
        square_R = square_R * shrink_R * shrink_R + tl.sum(weight_RC * weight_RC, 1)
        total_R += tl.sum(tl.where(real_C[None, :], logit_RC, 0.0), 1)
        above_R += tl.sum(tl.where((logit_RC > threshold_R[:, None]) & (column_C[None, :] != target_R[:, None]), 1.0, 0.0), 1)
    return new_R, sum_R, weighted_R, found_R, square_R, total_R, above_R


@triton.jit
def _logit(product_RC, bias, column_C, real_C, inner, outer, SOFTCAP: tl.constexpr):
    """Logits of some columns in nats."""
    if bias is not None:
        product_RC += tl.load(bias + column_C, mask=real_C, other=0.0).to(tl.float32)[None, :]
    return outer * (capped(product_RC, inner) if SOFTCAP else product_RC)


@triton.jit
def _column(vector, row_R, here_R):
    """A number of each row, beside all of its columns."""
    return tl.load(vector + row_R, mask=here_R, other=0)[:, None]


@triton.jit(do_not_specialize=["tokens", "start"])
def _fold(
    product, bias, target, maximum, total, weighted, found, threshold, square, logits, above,
    tokens, columns, stride, start, inner, outer,
    SOFTCAP: tl.constexpr, ENTROPY: tl.constexpr, MORE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program takes some rows of products into their statistics."""
    row_R = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    here_R = row_R < tokens
    local_R = tl.load(target + row_R, mask=here_R, other=0).to(tl.int64) - start
    local_R = tl.where(local_R < columns, local_R, -1)
    max_R, sum_R = tl.load(maximum + row_R, mask=here_R, other=0.0), tl.load(total + row_R, mask=here_R, other=0.0)
    weighted_R, found_R = tl.load(weighted + row_R, mask=here_R, other=0.0), tl.load(found + row_R, mask=here_R, other=0.0)
    threshold_R, square_R, total_R, above_R = max_R, max_R, max_R, max_R
    if MORE:
        threshold_R, square_R = tl.load(threshold + row_R, mask=here_R, other=0.0), tl.load(square + row_R, mask=here_R, other=0.0)
        total_R, above_R = tl.load(logits + row_R, mask=here_R, other=0.0), tl.load(above + row_R, mask=here_R, other=0.0)
    for first in range(0, columns, BLOCK):
        column_C = first + tl.arange(0, BLOCK)
        real_C = column_C < columns
        real_RC = here_R[:, None] & real_C[None, :]
        product_RC = tl.load(product + (row_R * stride)[:, None] + column_C[None, :], mask=real_RC, other=0.0)
        logit_RC = _logit(product_RC, bias, column_C, real_C, inner, outer, SOFTCAP)
        logit_RC = tl.where(real_C[None, :], logit_RC, float("-inf"))
        max_R, sum_R, weighted_R, found_R, square_R, total_R, above_R = absorb(
            logit_RC, column_C, real_C, local_R, threshold_R, max_R, sum_R, weighted_R, found_R, square_R, total_R, above_R, ENTROPY, MORE
        )
    tl.store(maximum + row_R, max_R, mask=here_R)
    tl.store(total + row_R, sum_R, mask=here_R)
    tl.store(weighted + row_R, weighted_R, mask=here_R)
    tl.store(found + row_R, found_R, mask=here_R)
    if MORE:
        tl.store(square + row_R, square_R, mask=here_R)
        tl.store(logits + row_R, total_R, mask=here_R)
        tl.store(above + row_R, above_R, mask=here_R)


@triton.jit(do_not_specialize=["tokens", "start"])
def _logit_gradient(
    product, bias, target, maximum, log_sum, mean, by_log_sum, by_mean, by_target, out,
    tokens, columns, stride, out_stride, start, inner, outer, slope,
    SOFTCAP: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program turns one block of some rows of products into gradients."""
    blocks = tl.cdiv(columns, BLOCK)
    row_R = (tl.program_id(0) // blocks).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    here_R = row_R < tokens
    column_C = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    real_C = column_C < columns
    real_RC = here_R[:, None] & real_C[None, :]
    product_RC = tl.load(product + (row_R * stride)[:, None] + column_C[None, :], mask=real_RC, other=0.0)
    logit_RC = _logit(product_RC, bias, column_C, real_C, inner, outer, SOFTCAP)
    below_RC = tl.maximum(logit_RC - _column(maximum, row_R, here_R), LOWEST)
    p_RC = tl.exp2((below_RC - _column(log_sum, row_R, here_R)) * LOG2_E)
    factor_RC = _column(by_log_sum, row_R, here_R) + _column(by_mean, row_R, here_R) * (1.0 + below_RC - _column(mean, row_R, here_R))
    hit_RC = column_C[None, :] == _column(target, row_R, here_R).to(tl.int64) - start
    gradient_RC = p_RC * factor_RC + tl.where(hit_RC, _column(by_target, row_R, here_R), 0.0)
    if SOFTCAP:
        tanh_RC = logit_RC / outer
        gradient_RC *= 1.0 - tanh_RC * tanh_RC
    out_RC = out + (row_R * out_stride)[:, None] + column_C[None, :]
    tl.store(out_RC, (gradient_RC * slope).to(out.dtype.element_ty), mask=real_RC)


INTERPRETED = not isinstance(_fold, triton.JITFunction)
"""Whether TRITON_INTERPRET was set when Triton was imported."""


def factors(transform: Transform) -> tuple[float, float]:
    """`inner` and `outer` of a transform: z = outer · tanh(...) as `capped` writes it, or outer · y without a cap."""
    if transform.softcap is None:
        return 0.0, transform.logit_scale / transform.temperature
    return 2 * LOG2_E.value * transform.logit_scale / transform.softcap, transform.softcap / transform.temperature


def fold(
    product_TC: Tensor, bias_C: Tensor | None, target_T: Tensor, start: int, running: Running, transform: Transform, *, entropy: bool,
    scratch: Tensor | None = None, best_T1: Tensor | None = None,
) -> None:  # fmt: skip
    """Take more columns, whose first is token `start`, into the running statistics in place.

    Products are fp32 and contiguous within a row; rows may lie apart.
    """
    (tokens, columns), block = product_TC.shape, _block()
    launch = _fold[(triton.cdiv(tokens, block["ROWS"]),)]
    with torch.cuda.device_of(product_TC):
        launch(
            product_TC, *_packed(bias_C, target_T), running.max_T, running.sum_T, running.weighted_T, running.target_T,
            *parts_of(running.more),
            tokens, columns, product_TC.stride(0), start, *factors(transform),
            SOFTCAP=transform.softcap is not None, ENTROPY=entropy, MORE=running.more is not None, num_warps=4, **block, **COMPILE,
        )  # fmt: skip


def logit_gradient(
    product_TC: Tensor, bias_C: Tensor | None, target_T: Tensor, start: int, stats: Stats, gradients: Stats, transform: Transform,
    out_TC: Tensor,
) -> None:  # fmt: skip
    """Write the loss's gradient by each raw product into `out_TC`, of any floating type, which may be `product_TC` itself.

    By the logit z_j: d log_sum = p_j, d mean = p_j (1 + (z_j - max) - mean), d target = 1 at the target.
    """
    (tokens, columns), block = product_TC.shape, _block()
    launch = _logit_gradient[(triton.cdiv(tokens, block["ROWS"]) * triton.cdiv(columns, block["BLOCK"]),)]
    with torch.cuda.device_of(product_TC):
        launch(
            product_TC, *_packed(bias_C, target_T, stats.max_T, stats.log_sum_T, stats.mean_T),
            *_packed(gradients.log_sum_T, gradients.mean_T, gradients.target_T), out_TC,
            tokens, columns, product_TC.stride(0), out_TC.stride(0), start, *factors(transform),
            transform.logit_scale / transform.temperature,
            SOFTCAP=transform.softcap is not None, num_warps=4, **block, **COMPILE,
        )  # fmt: skip


def parts_of(more: More | None) -> list[Tensor | None]:
    """As the kernels take them, None where they are not asked for."""
    return [None] * 4 if more is None else [more.threshold_T, more.square_T, more.total_T, more.above_T]


def _block() -> dict[str, int]:
    return INTERPRETED_BLOCK if INTERPRETED else BLOCK


def _packed(*vectors: Tensor | None) -> list[Tensor | None]:
    """Vectors as the kernels read them, without gaps: a gradient that was broadcast has stride 0."""
    return [None if vector is None else vector.contiguous() for vector in vectors]
