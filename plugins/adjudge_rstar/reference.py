"""The float64 reference of `token_logprobs`: all logits at once, and torch's own gradients. What every backend is measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from .chunked import LOWEST, Problem
from .statistics import Every, Stats, threshold


def reference(problem: Problem) -> Stats:
    """Statistics in float64; differentiable."""
    logit_TV = _logits(problem)
    max_T = logit_TV.detach().amax(1)
    below_TV = logit_TV - max_T.unsqueeze(1)
    mean_T = (below_TV.softmax(1) * below_TV.clamp(min=LOWEST)).sum(1)
    local_T = problem.target_T.long() - problem.start
    inside_T = (local_T >= 0) & (local_T < logit_TV.shape[1])
    target_logit_T = logit_TV.gather(1, local_T.clamp(0, logit_TV.shape[1] - 1).unsqueeze(1)).squeeze(1)
    return Stats(max_T, below_TV.logsumexp(1), mean_T, torch.where(inside_T, target_logit_T, 0.0))


def every(problem: Problem, top: int) -> Every:
    """All that `token_statistics` makes of the target's neighbours, in float64."""
    logit_TV = _logits(problem).detach()
    target_T = problem.target_T.long().unsqueeze(1)
    above_TV = logit_TV > threshold(logit_TV.gather(1, target_T))
    above_T = above_TV.scatter_(1, target_T, False).sum(1)
    found = logit_TV.sort(dim=1, descending=True, stable=True)
    return Every(logit_TV.softmax(1).square().sum(1), logit_TV.mean(1), above_T, found.values[:, :top], found.indices[:, :top])


def _logits(problem: Problem) -> Tensor:
    product_TV = problem.hidden_TD.double() @ problem.head_VD.double().T
    return problem.transform.apply(product_TV if problem.bias_V is None else product_TV + problem.bias_V.double())
