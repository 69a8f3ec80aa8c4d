"""A bounded piece of logits at a time: product, fold into the running statistics, forget; and the way back, which makes it again.

`chunked` folds in torch on any device, `hybrid` folds with one Triton kernel; the loops are the same. Columns are the outer loop, so
that 16-bit heads are widened once and a piece of the head is still in the cache when the next tokens meet it.
Shapes: T tokens (B of one block), V vocabulary (C columns of one chunk), D model width.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from .statistics import More, Running, Stats, Transform
from .top import Top

TOKEN_BLOCK = {"cpu": 1024, "cuda": 4096}
"""Tokens of one product: enough to keep the hardware busy."""
LOWEST = -200.0
"""exp of it is 0 in fp32; keeps 0 · inf out of the entropy of banned tokens."""
ORDINARY = 64.0
"""Largest size of a row's highest logit at which a mean of logits keeps its digits in fp32 without being taken relative to it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked of a backend: rows of hidden states against one shard of the head."""

    hidden_TD: Tensor
    head_VD: Tensor
    bias_V: Tensor | None
    target_T: Tensor
    start: int
    """Token id of the head's first row."""
    transform: Transform
    entropy: bool
    workspace: int
    """Bytes held at a time of logits, and of the head where it has to be widened."""

    @property
    def precision(self) -> torch.dtype:
        """What is accumulated in: fp32, and float64 for float64."""
        return torch.promote_types(self.hidden_TD.dtype, torch.float32)

    def blocks(self) -> list[tuple[int, int]]:
        """Tokens that meet the head together."""
        return _ranges(len(self.hidden_TD), TOKEN_BLOCK.get(self.hidden_TD.device.type, 1024))

    def chunks(self) -> list[tuple[int, int]]:
        """Columns that are held together: as many as the workspace allows for a block, in steps of 256 where that is possible.

        A piece of the head that has to be widened counts too.
        """
        column = max((stop - start for start, stop in self.blocks()), default=1)
        if self.widens:
            column += self.head_VD.shape[1]
        columns = max(1, self.workspace // (column * self.precision.itemsize))
        return _ranges(len(self.head_VD), columns // 256 * 256 or columns)

    def columns(self, start: int, stop: int) -> tuple[Tensor, Tensor | None, int]:
        """A piece of the head, of the bias, and the token id of its first column."""
        return self.operand(self.head_VD[start:stop]), None if self.bias_V is None else self.bias_V[start:stop], self.start + start

    @property
    def widens(self) -> bool:
        """Whether 16-bit numbers have to be widened before a product: only CUDA multiplies them into fp32."""
        return bool(self.hidden_TD.device.type != "cuda" and self.hidden_TD.dtype != self.precision)

    def operand(self, values: Tensor) -> Tensor:
        """As it enters a product."""
        return values.to(self.precision) if self.widens else values

    def product(self, hidden_BD: Tensor, head_CD: Tensor, buffer: Tensor) -> Tensor:
        """Raw products in the buffer's precision, in the buffer, which the next piece overwrites."""
        product_BC = buffer[: len(hidden_BD) * len(head_CD)].view(len(hidden_BD), len(head_CD))
        if hidden_BD.dtype != buffer.dtype:
            return torch.mm(hidden_BD, head_CD.T, out_dtype=buffer.dtype, out=product_BC)
        with bf16_factors() if self.hidden_TD.dtype == torch.bfloat16 else nullcontext():
            return torch.mm(hidden_BD, head_CD.T, out=product_BC)

    def buffer(self) -> Tensor:
        """Room for the largest piece of logits."""
        size = max((stop - start for start, stop in self.blocks()), default=0) * max(
            (stop - start for start, stop in self.chunks()), default=0
        )
        return torch.empty(size, dtype=self.precision, device=self.hidden_TD.device)


@contextmanager
def bf16_factors() -> Iterator[None]:
    """Let a CPU multiply fp32 factors as bf16 and add up in fp32: exact for factors that were bf16 before they were widened.

    Torch has this as a setting of the whole process, so it is left alone where another thread might multiply meanwhile.
    """
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is None or not _alone():
        yield
        return
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def _alone() -> bool:
    """Whether no other thread of Python's might multiply; the one that shows progress, which goes by this name, never does."""
    return threading.active_count() - sum(thread.name == "progress" for thread in threading.enumerate()) < 2


@dataclass(frozen=True, slots=True)
class Kernels:
    """What is done to a piece of raw products: in torch below, in Triton in `kernel.py`."""

    fold: Callable[..., None]
    logit_gradient: Callable[..., None]


def forward(problem: Problem, kernels: Kernels, more: More | None = None, top: Top | None = None) -> Running:
    """Statistics of all tokens."""
    running, buffer = Running.start(len(problem.hidden_TD), problem.hidden_TD, more), problem.buffer()
    scratch = torch.empty_like(buffer) if problem.entropy and kernels.fold is fold else None
    for columns in problem.chunks():
        head_CD, bias_C, start = problem.columns(*columns)
        room = scratch if bias_C is None or bool(bias_C.isfinite().all()) else None
        for block in problem.blocks():
            bias, transform, best_B1 = bias_C, problem.transform, None
            product_BC = problem.product(problem.operand(problem.hidden_TD[slice(*block)]), head_CD, buffer)
            if top is not None:
                _logits_(product_BC, bias, transform)
                bias, transform = None, Transform()
                best_B1 = top.rows(*block).take(product_BC, start)
            target_B, rows = problem.target_T[slice(*block)], running.rows(*block)
            kernels.fold(product_BC, bias, target_B, start, rows, transform, entropy=problem.entropy, scratch=room, best_T1=best_B1)
    return running


def backward(
    problem: Problem, stats: Stats, gradients: Stats, kernels: Kernels, needed: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients by hidden states, head and bias, where needed: each piece of logits is made again and becomes its own gradient.

    Two more products per piece; sums over pieces are kept in fp32.
    """
    hidden_TD, head_VD, bias_V, buffer = problem.hidden_TD, problem.head_VD, problem.bias_V, problem.buffer()
    d_hidden_TD = torch.zeros_like(hidden_TD, dtype=problem.precision) if needed[0] else None
    d_head_VD = torch.zeros_like(head_VD) if needed[1] else None
    d_bias_V = torch.zeros_like(bias_V, dtype=problem.precision) if needed[2] and bias_V is not None else None
    for columns in problem.chunks():
        head_CD, bias_C, start = problem.columns(*columns)
        d_head_CD = torch.zeros_like(head_CD, dtype=problem.precision) if needed[1] else None
        for block in problem.blocks():
            tokens = slice(*block)
            hidden_BD = problem.operand(hidden_TD[tokens])
            product_BC = problem.product(hidden_BD, head_CD, buffer)
            gradient_BC = product_BC if head_CD.dtype == product_BC.dtype else torch.empty_like(product_BC, dtype=head_CD.dtype)
            kernels.logit_gradient(
                product_BC,
                bias_C,
                problem.target_T[tokens],
                start,
                stats.rows(*block),
                gradients.rows(*block),
                problem.transform,
                gradient_BC,
            )
            if d_hidden_TD is not None:
                _add_product(d_hidden_TD[tokens], gradient_BC, head_CD)
            if d_head_CD is not None:
                _add_product(d_head_CD, gradient_BC.T, hidden_BD)
            if d_bias_V is not None:
                d_bias_V[slice(*columns)] += gradient_BC.sum(0, dtype=problem.precision)
        if d_head_VD is not None and d_head_CD is not None:
            d_head_VD[slice(*columns)] = d_head_CD
    return (
        None if d_hidden_TD is None else d_hidden_TD.to(hidden_TD.dtype),
        d_head_VD,
        None if d_bias_V is None or bias_V is None else d_bias_V.to(bias_V.dtype),
    )


def _add_product(sum_: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product without rounding it to 16 bits first."""
    if left.dtype == sum_.dtype:
        sum_.addmm_(left, right)
    else:
        torch.addmm(sum_, left, right, out_dtype=sum_.dtype, out=sum_)


def fold(
    product_TC: Tensor, bias_C: Tensor | None, target_T: Tensor, start: int, running: Running, transform: Transform, *, entropy: bool,
    scratch: Tensor | None = None, best_T1: Tensor | None = None,
) -> None:  # fmt: skip
    """Take more columns, whose first is token `start`, into the running statistics. The products are overwritten, `scratch` too.

    `scratch` is for logits that are all finite; `best_T1` is the place of each row's highest logit, where that is known already.
    """
    logit_TC = _logits_(product_TC, bias_C, transform)
    target_logit_T, inside_T = _at(logit_TC, target_T, start)
    running.target_T.copy_(torch.where(inside_T, target_logit_T, running.target_T))
    if running.more is not None:
        _count(logit_TC, target_logit_T, inside_T, running.more, scratch)
    highest_T = _highest(logit_TC, best_T1)
    if scratch is not None and bool((highest_T.abs() <= ORDINARY).all()):
        _fold_ordinary(logit_TC, highest_T, running, scratch, best_T1)
    else:
        _fold_any(logit_TC, highest_T, running, entropy=entropy)


def _highest(values_TC: Tensor, best_T1: Tensor | None) -> Tensor:
    return values_TC.amax(1) if best_T1 is None else values_TC.gather(1, best_T1).squeeze(1)


def _fold_ordinary(logit_TC: Tensor, highest_T: Tensor, running: Running, scratch: Tensor, best_T1: Tensor | None) -> None:
    """Torch's softmax goes through memory once where a maximum, a difference, exponentials and their sum go through it six times.

    Its largest value is one over the sum. The mean of logits is not taken relative to the highest, so none may be large or -inf.
    """
    p_TC = torch.softmax(logit_TC, -1, out=scratch[: logit_TC.numel()].view(logit_TC.shape))
    sum_T = _highest(p_TC, best_T1).reciprocal_()
    max_T = torch.maximum(running.max_T, highest_T)
    step_T, fall_T = running.max_T - max_T, highest_T - max_T
    shrink_T, weight_T = step_T.exp(), fall_T.exp() * sum_T
    mean_T = torch.linalg.vecdot(p_TC, logit_TC) - max_T
    running.weighted_T.add_(running.sum_T * step_T.clamp(min=LOWEST)).mul_(shrink_T).add_(mean_T * weight_T)
    running.sum_T.mul_(shrink_T).add_(weight_T)
    if running.more is not None:
        running.more.square_T.mul_(shrink_T.square()).add_((torch.linalg.vector_norm(p_TC, dim=1) * weight_T).square_())
    running.max_T.copy_(max_T)


def _fold_any(logit_TC: Tensor, highest_T: Tensor, running: Running, *, entropy: bool) -> None:
    max_T = torch.maximum(running.max_T, highest_T)
    step_T = running.max_T - max_T
    shrink_T = step_T.exp()
    below_TC = logit_TC.sub_(max_T.unsqueeze(1))
    if entropy:
        weight_TC = below_TC.clamp_(min=LOWEST).exp()
        running.weighted_T.add_(running.sum_T * step_T.clamp(min=LOWEST)).mul_(shrink_T).add_(torch.linalg.vecdot(weight_TC, below_TC))
    else:
        weight_TC = below_TC.exp_()
    running.sum_T.mul_(shrink_T).add_(weight_TC.sum(1))
    if running.more is not None:
        running.more.square_T.mul_(shrink_T.square()).add_(torch.linalg.vecdot(weight_TC, weight_TC))
    running.max_T.copy_(max_T)


def _logits_(product_TC: Tensor, bias_C: Tensor | None, transform: Transform) -> Tensor:
    """In place."""
    return transform.apply_(product_TC if bias_C is None else product_TC.add_(bias_C))


def _at(logit_TC: Tensor, target_T: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """The targets' logits, and which targets are among these columns at all."""
    local_T = target_T.long() - start
    inside_T = (local_T >= 0) & (local_T < logit_TC.shape[1])
    return logit_TC.gather(1, local_T.clamp(0, logit_TC.shape[1] - 1).unsqueeze(1)).squeeze(1), inside_T


def _count(logit_TC: Tensor, target_logit_T: Tensor, inside_T: Tensor, more: More, scratch: Tensor | None) -> None:
    """Take in the sum of logits, and how many of them stand above the target, which does not stand above itself."""
    more.total_T.add_(logit_TC.sum(1))
    room = torch.empty_like(logit_TC, dtype=torch.bool) if scratch is None else scratch.view(torch.bool)[: logit_TC.numel()]
    above_TC = torch.gt(logit_TC, more.threshold_T.unsqueeze(1), out=room.view(logit_TC.shape))
    more.above_T.add_(_trues(above_TC)).sub_((inside_T & (target_logit_T > more.threshold_T)).to(more.above_T.dtype))


def _trues(mask_TC: Tensor) -> Tensor:
    """How many are true in each row: eight at a time, as bytes of one integer, since torch adds up booleans slowly."""
    tokens, columns = mask_TC.shape
    if columns % 256 or columns > 256 * 255:
        return mask_TC.sum(1)
    return mask_TC.view(torch.int64).view(tokens, 32, -1).sum(1).view(torch.uint8).sum(1)


def logit_gradient(
    product_TC: Tensor,
    bias_C: Tensor | None,
    target_T: Tensor,
    start: int,
    stats: Stats,
    gradients: Stats,
    transform: Transform,
    out_TC: Tensor,
) -> None:
    """Write the loss's gradient by each raw product into `out_TC`, which may be `product_TC` itself.

    By the logit z_j: d log_sum = p_j, d mean = p_j (1 + (z_j - max) - mean), d target = 1 at the target.
    """
    logit_TC = _logits_(product_TC, bias_C, transform)
    below_TC = (logit_TC - stats.max_T.unsqueeze(1)).clamp_(min=LOWEST)
    p_TC = (below_TC - stats.log_sum_T.unsqueeze(1)).exp_()
    gradient_TC = (
        below_TC.add_((1 - stats.mean_T).unsqueeze(1)).mul_(gradients.mean_T.unsqueeze(1)).add_(gradients.log_sum_T.unsqueeze(1)).mul_(p_TC)
    )
    local_T = target_T.long() - start
    inside_T = ((local_T >= 0) & (local_T < logit_TC.shape[1])).nonzero().squeeze(1)
    gradient_TC[inside_T, local_T[inside_T]] += gradients.target_T[inside_T]
    out_TC.copy_(transform.chain_(gradient_TC, logit_TC))


def _ranges(size: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(start + step, size)) for start in range(0, size, step)]
