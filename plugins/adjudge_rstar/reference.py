"""The float64 reference of `token_logprobs`: what every backend is measured against.

Shapes: T tokens, V vocabulary, D model width, C tokens of one chunk.
"""

from __future__ import annotations

from torch import Tensor


def gather(logits_CV: Tensor, target_C: Tensor) -> Tensor:
    """Log-probability of each target, in nats, in the precision of the logits."""
    target_logit_C = logits_CV.gather(-1, target_C.long().unsqueeze(-1)).squeeze(-1)
    return target_logit_C - logits_CV.logsumexp(-1)


def reference(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor) -> Tensor:
    """All logits at once in float64."""
    return gather(hidden_TD.double() @ head_VD.double().T, target_T)
