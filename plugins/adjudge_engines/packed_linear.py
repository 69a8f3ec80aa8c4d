"""Products of few rows with weights in bfloat16, from weights that oneDNN laid out once: torch lays them out anew for every product.

The layout is a second copy of the weights. It takes less room than the prompts' copies did that rows which share a prompt do without.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from torch.nn.functional import linear

from .exact_head import keep_exact

FEW = 256
"""Rows up to which laying out the weights takes a good part of a product's time."""


def pack(model: Any) -> None:
    """Give a model in bfloat16 on a CPU such products, where torch has them; its numbers stay what they are."""
    if model.device.type != "cpu":
        return
    head = model.get_output_embeddings()
    with suppress(AttributeError, RuntimeError):  # a build of torch without oneDNN, or a CPU that it does not know
        for module in model.modules():
            if type(module) is Linear and module.weight.dtype == torch.bfloat16:
                if module is head:
                    keep_exact(model, few_rows(module))
                else:
                    module.forward = few_rows(module)


def few_rows(layer: Linear) -> Callable[[Tensor], Tensor]:
    """The layer's product, from weights that are laid out for few rows where there are few."""
    weight, bias = layer.weight.detach(), layer.bias
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)

    def product(rows: Tensor) -> Tensor:
        if rows.numel() > FEW * rows.shape[-1]:
            return linear(rows, weight, bias)
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
        return found

    return product
