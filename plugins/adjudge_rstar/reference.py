"""The float64 reference of `token_logprobs`: all logits at once, and torch's own gradients. What every backend is measured against."""

from __future__ import annotations

import torch

from .chunked import LOWEST, Problem
from .statistics import Stats


def reference(problem: Problem) -> Stats:
    """Statistics in float64; differentiable."""
    product_TV = problem.hidden_TD.double() @ problem.head_VD.double().T
    if problem.bias_V is not None:
        product_TV = product_TV + problem.bias_V.double()
    transform = problem.transform
    logit_TV = product_TV * transform.logit_scale
    if transform.softcap is not None:
        logit_TV = transform.softcap * torch.tanh(logit_TV / transform.softcap)
    logit_TV = logit_TV / transform.temperature
    max_T = logit_TV.detach().amax(1)
    below_TV = logit_TV - max_T.unsqueeze(1)
    mean_T = (below_TV.softmax(1) * below_TV.clamp(min=LOWEST)).sum(1)
    local_T = problem.target_T.long() - problem.start
    inside_T = (local_T >= 0) & (local_T < logit_TV.shape[1])
    target_logit_T = logit_TV.gather(1, local_T.clamp(0, logit_TV.shape[1] - 1).unsqueeze(1)).squeeze(1)
    return Stats(max_T, below_TV.logsumexp(1), mean_T, torch.where(inside_T, target_logit_T, 0.0))
