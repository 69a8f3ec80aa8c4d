"""Logits of chosen tokens, the target's and others: products of hidden states with single rows of the head, differentiable.

Shapes: T tokens, K chosen tokens of each, V vocabulary, D model width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .chunked import Problem

TOKENS = 1024
"""Tokens whose rows of the head are gathered at a time."""


def chosen_logits(problem: Problem, id_TK: Tensor, *, triton: bool) -> Tensor:
    """In the precision of the problem, of shape (T, K). With `triton` a token's bits do not depend on its company."""
    product_TK = _Products.apply(problem.hidden_TD, problem.head_VD, id_TK, problem.precision, triton)
    bias_V = problem.bias_V
    return problem.transform.apply(product_TK if bias_V is None else product_TK + bias_V[id_TK].to(problem.precision))


class _Products(torch.autograd.Function):  # type: ignore[misc]
    """One chosen token of all rows at a time, so that no more than hidden states are gathered."""

    @staticmethod
    def forward(ctx: Any, hidden_TD: Tensor, head_VD: Tensor, id_TK: Tensor, precision: torch.dtype, triton: bool) -> Tensor:
        ctx.save_for_backward(hidden_TD, head_VD, id_TK)
        ctx.precision = precision
        if triton:
            from .fused import dots

            return dots(hidden_TD, head_VD, id_TK)
        product_TK = torch.empty(id_TK.shape, dtype=precision, device=hidden_TD.device)
        for start in range(0, len(id_TK), TOKENS):
            hidden_BD, id_BK = hidden_TD[start : start + TOKENS].to(precision), id_TK[start : start + TOKENS]
            for k, id_B in enumerate(id_BK.unbind(1)):
                product_TK[start : start + TOKENS, k] = torch.linalg.vecdot(hidden_BD, head_VD[id_B].to(precision))
        return product_TK

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (hidden_TD, head_VD, id_TK), [gradient_TK] = ctx.saved_tensors, gradients
        d_hidden_TD = d_head_VD = None
        if ctx.needs_input_grad[0]:
            d_hidden_TD = torch.zeros_like(hidden_TD, dtype=ctx.precision)
            for k, id_T in enumerate(id_TK.unbind(1)):
                d_hidden_TD.addcmul_(gradient_TK[:, k : k + 1], head_VD[id_T].to(ctx.precision))
            d_hidden_TD = d_hidden_TD.to(hidden_TD.dtype)
        if ctx.needs_input_grad[1]:
            once_U, place_TK = id_TK.unique(return_inverse=True)
            sum_UD = torch.zeros(len(once_U), head_VD.shape[1], dtype=ctx.precision, device=head_VD.device)
            for k, place_T in enumerate(place_TK.unbind(1)):
                sum_UD.index_add_(0, place_T, gradient_TK[:, k : k + 1] * hidden_TD.to(ctx.precision))
            d_head_VD = torch.zeros_like(head_VD)
            d_head_VD[once_U] = sum_UD.to(head_VD.dtype)
        return d_hidden_TD, d_head_VD, None, None, None
