"""The backends by name, how `auto` chooses among them, and the autograd function that makes all of them differentiable."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from . import chunked
from .chosen import chosen_logits
from .chunked import Kernels, Problem
from .reference import every as every_by_reference
from .reference import reference
from .statistics import Every, More, Running, Stats, threshold
from .top import LAST, Top

Backend = Literal["auto", "reference", "chunked", "hybrid", "fused"]
NAMES = ("auto", "reference", "chunked", "hybrid", "fused")
WORKSPACE = {"cpu": 16 * 2**20, "cuda": 48 * 2**20}
"""Bytes of logits held at a time, unless told: what stays in the last cache."""
NARROWEST = 256
"""Columns below which a product is too narrow to be fast: with less room than that, `auto` takes `fused`, which needs none."""


def statistics(problem: Problem, backend: Backend) -> Stats:
    """The statistics of a problem by this backend; differentiable in hidden states, head and bias. Raises `ValueError`."""
    chosen = choose(problem, backend)
    if chosen == "reference":
        return reference(problem)
    return Stats(*_Statistics.apply(problem.hidden_TD, problem.head_VD, problem.bias_V, problem, chosen, None)[:4])


def every(problem: Problem, backend: Backend, top: int) -> tuple[Stats, Every]:
    """The statistics, and all that `token_statistics` tells beside them, in one pass; raises `ValueError`."""
    chosen = choose(problem, backend)
    if chosen == "reference":
        return reference(problem), every_by_reference(problem, top)
    found = _Statistics.apply(problem.hidden_TD, problem.head_VD, problem.bias_V, problem, chosen, top)
    return Stats(*found[:4]), Every(*found[4:])


def by_triton(problem: Problem, backend: Backend) -> bool:
    """Whether single rows of the head are multiplied by a kernel whose bits do not depend on the batch."""
    return choose(problem, backend) in ("hybrid", "fused")


def choose(problem: Problem, backend: Backend) -> Backend:
    """A backend that can do it, or `ValueError` saying why the one asked for cannot."""
    if backend not in NAMES:
        raise ValueError(f"there is no backend {backend!r}; there are {', '.join(NAMES)}")
    lacking = _lacking(problem)
    if backend == "auto":
        if lacking:
            return "chunked"
        block = max((stop - start for start, stop in problem.blocks()), default=1)
        return "fused" if problem.workspace < NARROWEST * block * problem.precision.itemsize else "hybrid"
    if backend in ("hybrid", "fused") and lacking:
        raise ValueError(f"backend {backend!r} cannot be used here: {lacking}; 'auto' takes one that can")
    return backend


def _lacking(problem: Problem) -> str | None:
    """What the Triton backends lack; CPU tensors will do in Triton's interpreter."""
    device = problem.hidden_TD.device.type
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if device != "cuda" and not (device == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"):
        return f"it needs tensors on a CUDA device, and these are on {device}"
    if problem.precision == torch.float64:
        return "it takes fp32, fp16 and bf16, not float64"
    return None


def _kernels(backend: Backend) -> Kernels:
    """Torch's for `chunked`; Triton's for the others, of which `fused` goes back the way `hybrid` does."""
    if backend == "chunked":
        return Kernels(chunked.fold, chunked.logit_gradient)
    from . import kernel

    return Kernels(kernel.fold, kernel.logit_gradient)


def _forward(problem: Problem, backend: Backend, more: More | None = None, top: Top | None = None) -> Running:
    if backend != "fused" or not (len(problem.hidden_TD) and len(problem.head_VD)):
        return chunked.forward(problem, _kernels(backend), more, top)
    from .fused import fused, tile_columns

    hidden_TD, head_VD, peak_NT = problem.hidden_TD, problem.head_VD, None
    columns = tile_columns(hidden_TD, head_VD)
    if top is not None:
        peak_NT = torch.empty(-(-len(head_VD) // columns), len(hidden_TD), dtype=torch.float32, device=hidden_TD.device)
    running = fused(
        hidden_TD, head_VD, problem.bias_V, problem.target_T, problem.start, problem.transform,
        entropy=problem.entropy, more=more, peak_NT=peak_NT,
    )  # fmt: skip
    if top is not None and peak_NT is not None:
        _take_from_tiles(problem, peak_NT, columns, top)
    return running


def _take_from_tiles(problem: Problem, peak_NT: Tensor, columns: int, top: Top) -> None:
    """The largest logits lie in the tiles with the largest peaks; these alone are made again, row by row."""
    kept = min(top.logit_TK.shape[1], len(peak_NT))
    tile_TK = peak_NT.T.sort(dim=1, descending=True, stable=True).indices[:, :kept]
    step_C = torch.arange(columns, device=peak_NT.device)
    for k in range(kept):
        id_TC = tile_TK[:, k : k + 1] * columns + step_C
        inside_TC = id_TC < len(problem.head_VD)
        logit_TC = chosen_logits(problem, torch.where(inside_TC, id_TC, 0), triton=True)
        top.keep(logit_TC.masked_fill_(~inside_TC, float("-inf")), torch.where(inside_TC, id_TC, LAST))


def _every(problem: Problem, backend: Backend, top: int) -> tuple[Stats, Every]:
    triton = backend in ("hybrid", "fused")
    target_logit_T = chosen_logits(problem, problem.target_T.long().unsqueeze(1), triton=triton).squeeze(1)
    more = More.start(threshold(target_logit_T))
    kept = Top.start(len(target_logit_T), top, target_logit_T)
    running = _forward(problem, backend, more, kept if top else None)
    return running.finish(), Every(
        more.square_T / running.sum_T.square(), more.total_T / len(problem.head_VD), more.above_T.long(), kept.logit_TK, kept.id_TK
    )


class _Statistics(torch.autograd.Function):  # type: ignore[misc]
    """Keeps four numbers per token and makes the logits again on the way back."""

    @staticmethod
    def forward(
        ctx: Any, hidden_TD: Tensor, head_VD: Tensor, bias_V: Tensor | None, problem: Problem, backend: Backend, top: int | None
    ) -> tuple[Tensor, ...]:
        stats, beside = (_forward(problem, backend).finish(), ()) if top is None else _every(problem, backend, top)
        ctx.save_for_backward(hidden_TD, head_VD, bias_V, problem.target_T, *stats)
        ctx.problem = replace(problem, hidden_TD=hidden_TD[:0], head_VD=head_VD[:0], bias_V=None, target_T=problem.target_T[:0])
        ctx.backend = backend
        ctx.mark_non_differentiable(stats.max_T, *beside)
        return *stats, *beside

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        hidden_TD, head_VD, bias_V, target_T, *stats = ctx.saved_tensors
        problem = replace(ctx.problem, hidden_TD=hidden_TD, head_VD=head_VD, bias_V=bias_V, target_T=target_T)
        found = chunked.backward(problem, Stats(*stats), Stats(*gradients[:4]), _kernels(ctx.backend), ctx.needs_input_grad[:3])
        return *found, None, None, None
