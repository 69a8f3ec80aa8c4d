"""Products with weights that oneDNN laid out once: torch lays those in bfloat16 out anew for every product, and has slower ones in float32.

What is laid out takes the place of the weights as they were, but for a head, whose weights embed tokens as well and are scored with.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Parameter

from .exact_head import keep_exact
from .precision import GAINS


def pack(model: Any) -> None:
    """Give a model on a CPU such products, where torch has them; one in float32 keeps its own where it is small, and so its very bits."""
    if model.device.type != "cpu":
        return
    head, large = model.get_output_embeddings(), sum(parameter.numel() for parameter in model.parameters()) >= GAINS
    precisions = {torch.bfloat16, torch.float32} if large else {torch.bfloat16}
    with suppress(AttributeError, RuntimeError):  # a build of torch without oneDNN, or a CPU that it does not know
        for module in model.modules():
            if type(module) is Linear and module.weight.dtype in precisions:
                packed, product = laid_out(module)
                if module is not head:
                    module.forward, module.weight = product, Parameter(packed, requires_grad=False)
                elif module.weight.dtype == torch.bfloat16:
                    keep_exact(model, product)
                else:
                    module.forward = product


def laid_out(layer: Linear) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The layer's weights as oneDNN wants them, and the product with them."""
    packed, bias = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), None), layer.bias

    def product(rows: Tensor) -> Tensor:
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
        return found

    return packed, product
