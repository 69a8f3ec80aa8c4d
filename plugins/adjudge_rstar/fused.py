"""The `fused` backend's kernel: tiles of hidden · headᵀ go straight into online statistics, so that no logit is ever stored.

Each program takes one tile of rows through one part of the vocabulary; a second pass joins the parts in fixed order. Nothing about
the launch but the number of programs depends on the number of tokens, so a token's numbers are the same bits in every batch.
Shapes: T tokens, V vocabulary, D model width, S splits of the vocabulary; inside kernels R rows, C columns and K depth of one tile.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .kernel import COMPILE, INTERPRETED, LOG2_E, absorb, capped, factors, parts_of
from .statistics import FLOOR, More, Running, Transform
from .tiles import GROUP, Tiles, choose, splits

START = tl.constexpr(FLOOR)
DOTS = {"COUNT": 16, "DEPTH": 128}
"""Rows of the head, and their width, that a program of `dots` holds at a time."""
COMBINED = 256
"""Tokens per program of the second pass."""
VERSION = (int(triton.__version__.split(".")[0]), int(triton.__version__.split(".")[1]))


@triton.jit
def _tile(source, row, k, rows, depth, stride, depth_stride,
          ROWS: tl.constexpr, DEPTH: tl.constexpr, TMA: tl.constexpr, ALIGN: tl.constexpr, WHOLE: tl.constexpr):  # fmt: skip
    """A tile of a matrix, 0 beyond its depth; rows beyond its last are 0 by TMA and the last one again by pointers."""
    if TMA:
        # a value of its own: where the compiler halves the tile for two warp groups, it moves every use of this coordinate by half a tile
        return source.load([tl.minimum(row, rows - 1), k])
    else:
        row_R = tl.minimum(row + tl.arange(0, ROWS), rows - 1).to(tl.int64)
        k_K = k + tl.arange(0, DEPTH)
        # x // ALIGN * ALIGN is x, and tells the compiler that 16 bytes can be loaded at once
        place_RK = row_R[:, None] * (stride // ALIGN * ALIGN) + (k_K.to(tl.int64) * depth_stride)[None, :]
        if WHOLE:
            return tl.load(source + place_RK)
        else:
            return tl.load(source + place_RK, mask=k_K[None, :] < depth // ALIGN * ALIGN, other=0.0)


@triton.jit
def _logits(product_RC, first, vocabulary, bias, inner, outer, SOFTCAP: tl.constexpr):
    """Logits of a tile of products, and its columns; a column beyond the vocabulary counts as banned."""
    column_C = first + tl.arange(0, product_RC.shape[1])
    real_C = column_C < vocabulary
    bias_C = tl.zeros(column_C.shape, tl.float32) if bias is None else tl.load(bias + column_C, mask=real_C, other=0.0).to(tl.float32)
    if SOFTCAP:
        logit_RC = outer * capped(product_RC + bias_C[None, :], inner) + tl.where(real_C, 0.0, float("-inf"))[None, :]
    else:
        logit_RC = product_RC * outer + tl.where(real_C, bias_C * outer, float("-inf"))[None, :]
    return logit_RC, column_C, real_C


@triton.jit(do_not_specialize=["tokens", "start", "hidden_stride", "head_stride"])
def partials(
    hidden, head, bias, target, maximum, total, weighted, found, threshold, square, logits, above, peak,
    tokens, vocabulary, depth, start, hidden_stride, head_stride, head_depth_stride, inner, outer,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, SPLITS: tl.constexpr, GROUP: tl.constexpr,
    TMA: tl.constexpr, SPECIALISE: tl.constexpr, ALIGN: tl.constexpr, WHOLE: tl.constexpr,
    SOFTCAP: tl.constexpr, ENTROPY: tl.constexpr, MORE: tl.constexpr, PEAKS: tl.constexpr, INTERPRETED: tl.constexpr,
):  # fmt: skip
    """One program: one tile of rows, one split of the vocabulary. GROUP row tiles run through all splits before the next GROUP starts."""
    row_tiles = tl.cdiv(tokens, ROWS)
    group = tl.program_id(0) // (GROUP * SPLITS) * GROUP
    height = min(row_tiles - group, GROUP)
    place = tl.program_id(0) % (GROUP * SPLITS)
    row, split = (group + place % height) * ROWS, place // height
    row_R = row + tl.arange(0, ROWS)
    first = split * tl.cdiv(vocabulary, COLUMNS) // SPLITS
    last = (split + 1) * tl.cdiv(vocabulary, COLUMNS) // SPLITS
    aim_R = tl.load(target + row_R, mask=row_R < tokens, other=0).to(tl.int64) - start
    here_R = (aim_R >= first * COLUMNS) & (aim_R < min(last * COLUMNS, vocabulary))
    aim_R = tl.where(here_R, aim_R, -1).to(tl.int32)
    max_R = tl.full((ROWS,), START, tl.float32)
    sum_R = tl.zeros((ROWS,), tl.float32)
    weighted_R = tl.zeros((ROWS,), tl.float32)
    found_R = tl.zeros((ROWS,), tl.float32)
    threshold_R = tl.zeros((ROWS,), tl.float32)
    if MORE:
        threshold_R = tl.load(threshold + row_R, mask=row_R < tokens, other=0.0)
    square_R = tl.zeros((ROWS,), tl.float32)
    total_R = tl.zeros((ROWS,), tl.float32)
    above_R = tl.zeros((ROWS,), tl.float32)
    if TMA:
        hidden = tl.make_tensor_descriptor(hidden, [tokens, depth], [hidden_stride, 1], [ROWS, DEPTH])
        head = tl.make_tensor_descriptor(head, [vocabulary, depth], [head_stride, 1], [COLUMNS, DEPTH])
    for tile in tl.range(first, last, warp_specialize=SPECIALISE):
        product_RC = tl.zeros((ROWS, COLUMNS), tl.float32)
        for k in range(0, depth, DEPTH):
            left = _tile(hidden, row, k, tokens, depth, hidden_stride, 1, ROWS, DEPTH, TMA, ALIGN, WHOLE)
            right = _tile(head, tile * COLUMNS, k, vocabulary, depth, head_stride, head_depth_stride, COLUMNS, DEPTH, TMA, ALIGN, WHOLE)
            if INTERPRETED:
                # it would multiply the bit patterns of bf16; and in fp32 its last bits depend on where in the tile a row lies
                exact_RC = tl.dot(left.to(tl.float64), right.to(tl.float64).T, out_dtype=tl.float64)
                product_RC += exact_RC.to(tl.float32)
            else:
                product_RC = tl.dot(left, right.T, product_RC, input_precision="ieee")
        logit_RC, column_C, real_C = _logits(product_RC, tile * COLUMNS, vocabulary, bias, inner, outer, SOFTCAP)
        max_R, sum_R, weighted_R, found_R, square_R, total_R, above_R = absorb(
            logit_RC, column_C, real_C, aim_R, threshold_R, max_R, sum_R, weighted_R, found_R, square_R, total_R, above_R, ENTROPY, MORE
        )
        if PEAKS:
            tl.store(peak + tokens.to(tl.int64) * tile + row_R, tl.max(logit_RC, 1), mask=row_R < tokens)
    out_R = split.to(tl.int64) * tokens + row_R
    tl.store(maximum + out_R, max_R, mask=row_R < tokens)
    tl.store(total + out_R, sum_R, mask=row_R < tokens)
    if ENTROPY:
        tl.store(weighted + out_R, weighted_R, mask=row_R < tokens)
    if MORE:
        tl.store(square + out_R, square_R, mask=row_R < tokens)
        tl.store(logits + out_R, total_R, mask=row_R < tokens)
        tl.store(above + out_R, above_R, mask=row_R < tokens)
    tl.store(found + row_R, found_R, mask=here_R & (row_R < tokens))


@triton.jit(do_not_specialize=["tokens"])
def _combine(partial_max, partial_sum, partial_weighted, partial_square, partial_logits, partial_above,
             maximum, total, weighted, square, logits, above, tokens,
             SPLITS: tl.constexpr, ENTROPY: tl.constexpr, MORE: tl.constexpr, ROWS: tl.constexpr):  # fmt: skip
    """Join the splits of some tokens, always in the same order."""
    row_R = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    real_R = row_R < tokens
    max_R = tl.full((ROWS,), START, tl.float32)
    sum_R = tl.zeros((ROWS,), tl.float32)
    weighted_R = tl.zeros((ROWS,), tl.float32)
    square_R = tl.zeros((ROWS,), tl.float32)
    total_R = tl.zeros((ROWS,), tl.float32)
    above_R = tl.zeros((ROWS,), tl.float32)
    for split in tl.static_range(SPLITS):
        max_R = tl.maximum(max_R, tl.load(partial_max + split * tokens.to(tl.int64) + row_R, mask=real_R, other=0.0))
    for split in tl.static_range(SPLITS):
        place_R = split * tokens.to(tl.int64) + row_R
        step_R = tl.load(partial_max + place_R, mask=real_R, other=0.0) - max_R
        part_R = tl.load(partial_sum + place_R, mask=real_R, other=0.0)
        shrink_R = tl.exp2(step_R * LOG2_E)
        sum_R += part_R * shrink_R
        if ENTROPY:
            weighted_R += (tl.load(partial_weighted + place_R, mask=real_R, other=0.0) + part_R * step_R) * shrink_R
        if MORE:
            square_R += tl.load(partial_square + place_R, mask=real_R, other=0.0) * shrink_R * shrink_R
            total_R += tl.load(partial_logits + place_R, mask=real_R, other=0.0)
            above_R += tl.load(partial_above + place_R, mask=real_R, other=0.0)
    tl.store(maximum + row_R, max_R, mask=real_R)
    tl.store(total + row_R, sum_R, mask=real_R)
    tl.store(weighted + row_R, weighted_R, mask=real_R)
    if MORE:
        tl.store(square + row_R, square_R, mask=real_R)
        tl.store(logits + row_R, total_R, mask=real_R)
        tl.store(above + row_R, above_R, mask=real_R)


@triton.jit
def _dots(hidden, head, row, product, count, depth, hidden_stride, head_stride, head_depth_stride,
          COUNT: tl.constexpr, DEPTH: tl.constexpr):  # fmt: skip
    """One program: some rows of the head by one row of hidden states, added up in the same order wherever they stand."""
    token = tl.program_id(0).to(tl.int64)
    place_K = tl.program_id(1) * COUNT + tl.arange(0, COUNT)
    row_K = tl.load(row + token * count + place_K, mask=place_K < count, other=0).to(tl.int64)
    sum_K = tl.zeros((COUNT,), tl.float32)
    for first in range(0, depth, DEPTH):
        k_E = first + tl.arange(0, DEPTH)
        left_E = tl.load(hidden + token * hidden_stride + k_E, mask=k_E < depth, other=0.0).to(tl.float32)
        place_KE = (row_K * head_stride)[:, None] + (k_E.to(tl.int64) * head_depth_stride)[None, :]
        right_KE = tl.load(head + place_KE, mask=k_E[None, :] < depth, other=0.0).to(tl.float32)
        sum_K += tl.sum(left_E[None, :] * right_KE, 1)
    tl.store(product + token * count + place_K, sum_K, mask=place_K < count)


def dots(hidden_TD: Tensor, head_VD: Tensor, id_TK: Tensor) -> Tensor:
    """Products of each row of hidden states with rows of the head of its own, in fp32; the same bits in any company. Shape (T, K)."""
    (tokens, count), hidden_TD = id_TK.shape, hidden_TD.contiguous()
    product_TK = torch.empty(tokens, count, dtype=torch.float32, device=hidden_TD.device)
    if product_TK.numel():
        with torch.cuda.device_of(hidden_TD):
            _dots[(tokens, triton.cdiv(count, DOTS["COUNT"]))](
                hidden_TD, head_VD, id_TK.contiguous(), product_TK, count, hidden_TD.shape[1], hidden_TD.stride(0), *head_VD.stride(),
                num_warps=4, **DOTS, **COMPILE,
            )  # fmt: skip
    return product_TK


@dataclass(frozen=True, slots=True)
class KernelLaunch:
    """All that the first pass is started with; the same for running it and for compiling it ahead of time."""

    grid: tuple[int]
    arguments: tuple[Any, ...]
    options: dict[str, Any]


def is_aligned(head_VD: Tensor) -> bool:
    """Whether rows of the head start at multiples of 16 bytes, and those of contiguous hidden states will."""
    width = head_VD.shape[1] * head_VD.itemsize
    return width % 16 == 0 and _starts_rows_at_16(head_VD)


def plan(
    hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor | None, target_T: Tensor, start: int, transform: Transform,
    partial_XST: Tensor, found_T: Tensor, tiles: Tiles, *, entropy: bool, more: More | None = None, peak_NT: Tensor | None = None,
) -> KernelLaunch:  # fmt: skip
    """The launch of the first pass; X of `partial_XST` is maximum, sum, with entropy weighted sum, and what `more` asks for."""
    (tokens, depth), vocabulary = hidden_TD.shape, len(head_VD)
    parts = splits(vocabulary, tiles)
    aligned = is_aligned(head_VD)
    assert aligned or not tiles.tma, "the tensor memory accelerator cannot read rows that start anywhere"
    if hidden_TD.stride(1) != 1 or (aligned and not _starts_rows_at_16(hidden_TD)):
        hidden_TD = torch.empty_like(hidden_TD, memory_format=torch.contiguous_format).copy_(hidden_TD)
    arguments = (
        hidden_TD, head_VD, bias_V, target_T, partial_XST[0], partial_XST[1], partial_XST[2] if entropy else None, found_T,
        None if more is None else more.threshold_T, *_more_partials(partial_XST, more), peak_NT,
        tokens, vocabulary, depth, start, hidden_TD.stride(0), *head_VD.stride(), *factors(transform),
    )  # fmt: skip
    options = dict(
        ROWS=tiles.rows, COLUMNS=tiles.columns, DEPTH=tiles.depth, SPLITS=parts, GROUP=GROUP,
        TMA=tiles.tma, SPECIALISE=tiles.specialise, ALIGN=16 // hidden_TD.itemsize if aligned else 1, WHOLE=depth % tiles.depth == 0,
        SOFTCAP=transform.softcap is not None, ENTROPY=entropy, MORE=more is not None, PEAKS=peak_NT is not None,
        INTERPRETED=INTERPRETED,
        num_warps=tiles.warps, num_stages=tiles.stages, **COMPILE,
    )  # fmt: skip
    return KernelLaunch((triton.cdiv(tokens, tiles.rows) * parts,), arguments, options)


def fused(
    hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor | None, target_T: Tensor, start: int, transform: Transform, *, entropy: bool,
    tiles: Tiles | None = None, more: More | None = None, peak_NT: Tensor | None = None,
) -> Running:  # fmt: skip
    """Statistics of all tokens over a head whose first row is token `start`; extra memory is 24 numbers per token (16 without entropy).

    Hidden states and head are of one type, fp32, fp16 or bf16. `tiles` other than those of the table are for measuring. `peak_NT` takes
    the largest logit of every tile of `tile_columns` columns.
    """
    tokens, device = len(hidden_TD), hidden_TD.device
    tiles = tiles or _tiles(hidden_TD, head_VD, more=more is not None)
    parts = splits(len(head_VD), tiles)
    running = Running.start(tokens, hidden_TD.new_empty(0, dtype=torch.float32), more)
    partial_XST = torch.empty(6 if more else 3 if entropy else 2, parts, tokens, dtype=torch.float32, device=device)
    bias_V = None if bias_V is None else bias_V.contiguous()
    launch = plan(
        hidden_TD, head_VD, bias_V, target_T.contiguous(), start, transform, partial_XST, running.target_T, tiles,
        entropy=entropy, more=more, peak_NT=peak_NT,
    )  # fmt: skip
    with torch.cuda.device_of(hidden_TD):
        contextvars.copy_context().run(_start, launch, device)
        _combine[(triton.cdiv(tokens, COMBINED),)](
            partial_XST[0], partial_XST[1], partial_XST[2] if entropy else None, *_more_partials(partial_XST, more),
            running.max_T, running.sum_T, running.weighted_T, *parts_of(more)[1:], tokens,
            SPLITS=parts, ENTROPY=entropy, MORE=more is not None, ROWS=COMBINED, **COMPILE,
        )  # fmt: skip
    return running


def _start(launch: KernelLaunch, device: torch.device) -> None:
    """Launch the first pass, which writes its tensor maps to memory that Triton asks for; what others have Triton ask stays theirs."""
    triton.set_allocator(lambda size, alignment, stream: torch.empty(size, dtype=torch.int8, device=device))
    partials[launch.grid](*launch.arguments, **launch.options)


def tile_columns(hidden_TD: Tensor, head_VD: Tensor) -> int:
    """Columns of a tile when all statistics of these are made."""
    return _tiles(hidden_TD, head_VD, more=True).columns


def _tiles(hidden_TD: Tensor, head_VD: Tensor, *, more: bool) -> Tiles:
    return choose(_capability(hidden_TD.device), hidden_TD.dtype, aligned=is_aligned(head_VD), version=VERSION, more=more)


def _more_partials(partial_XST: Tensor, more: More | None) -> list[Tensor | None]:
    return [None] * 3 if more is None else [partial_XST[3], partial_XST[4], partial_XST[5]]


def _capability(device: torch.device) -> tuple[int, int] | None:
    return None if INTERPRETED else torch.cuda.get_device_capability(device)


def _starts_rows_at_16(matrix: Tensor) -> bool:
    """No gaps between values, and every row at a multiple of 16 bytes, no row over another."""
    apart, step = matrix.stride()
    return bool(step == 1 and apart >= matrix.shape[1] and apart * matrix.itemsize % 16 == 0 and matrix.data_ptr() % 16 == 0)
