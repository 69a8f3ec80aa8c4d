"""A causal model's output head, read off a transformers model: what `token_logprobs` has to be told to give the model's own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from torch import Tensor

SCALES = ("logit_scale", "output_multiplier", "lm_head_multiplier")
"""What different families call the factor of their logits."""


@dataclass(frozen=True, slots=True)
class Head:
    """Weight, bias, factor and soft cap by which hidden states become logits, as far as a model's settings say them.

    A model may do more to its logits than its settings say; who needs to be sure tries it out against the model's own.
    """

    weight_VD: Tensor
    bias_V: Tensor | None
    logit_scale: float
    softcap: float | None

    @classmethod
    def of(cls, model: Any) -> Self:
        """The head of a transformers model, whose weight and bias it shares."""
        layer = model.get_output_embeddings()
        return cls(layer.weight, getattr(layer, "bias", None), *logit_changes(model.config.get_text_config(decoder=True)))

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `token_logprobs` that are the head's."""
        return {"bias_V": self.bias_V, "logit_scale": self.logit_scale, "softcap": self.softcap}


def logit_changes(config: Any) -> tuple[float, float | None]:
    """Factor and soft cap that a model puts on its logits."""
    scale = next((value for name in SCALES if (value := getattr(config, name, None)) is not None), None)
    divisor = getattr(config, "logits_scaling", None)
    if scale is None and divisor is not None:
        scale = divisor if config.model_type == "hyperclovax" else 1 / divisor
    return 1.0 if scale is None else scale, getattr(config, "final_logit_softcapping", None) or None
