"""Keeps the likeliest logits of a model in bfloat16 exact: a CPU rounds products to bfloat16, which makes equals of what is not.

Shapes: N rows, D model width, V vocabulary, K likeliest tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

EXACT = 64
"""K: tokens whose logits are made in float32. Of those behind them the rounding, 1 in 256, is less than what hidden states have lost."""


def exact_logits(hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None, product: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Logits in float32: those of the likeliest tokens exact for these hidden states, the others rounded. Any number of dimensions.

    `product` makes the rounded ones, where that is not torch itself.
    """
    logits_NV = (linear(hidden_ND, weight_VD, bias_V) if product is None else product(hidden_ND)).float()
    likeliest_NK = logits_NV.topk(min(EXACT, logits_NV.shape[-1]), -1).indices
    exact_NK = torch.linalg.vecdot(weight_VD[likeliest_NK].float(), hidden_ND.float().unsqueeze(-2))
    if bias_V is not None:
        exact_NK += bias_V[likeliest_NK].float()
    return logits_NV.scatter_(-1, likeliest_NK, exact_NK)


def keep_exact(model: Any, product: Callable[[Tensor], Tensor] | None = None) -> None:
    """Give a model on a CPU such logits, where its head is a plain matrix of bfloat16; `product` as in `exact_logits`."""
    head = model.get_output_embeddings()
    if type(head) is torch.nn.Linear and head.weight.dtype == torch.bfloat16 and head.weight.device.type == "cpu":
        head.forward = lambda hidden_ND: exact_logits(hidden_ND, head.weight, head.bias, product)
