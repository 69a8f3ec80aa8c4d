"""Statistics of given tokens by the names that `Session.logprobs` takes: from hidden states in one pass, or from a model's own logits.

Shapes: N rows of hidden states, T scored tokens, V vocabulary, S = 1 + the names asked for, D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from adjudge_rstar import Head, token_logprobs, token_statistics

TOP = 20
"""Tokens over which ``top20_logprob`` is the mean; all of a smaller vocabulary."""


def from_hidden(head: Head, hidden_ND: Tensor, rows_T: Tensor, target_T: Tensor, names: Sequence[str]) -> Tensor:
    """Log-probabilities of the targets, and a row for each name; shape (S, T)."""
    if not names:
        return token_logprobs(hidden_ND, head.weight_VD, target_T, rows_T=rows_T, **head.options).unsqueeze(0)
    top = min(TOP, head.weight_VD.shape[0]) if "top20_logprob" in names else int("top_logprob" in names)
    found = token_statistics(hidden_ND, head.weight_VD, target_T, rows_T=rows_T, top=top, **head.options)
    of_top = {"top_logprob": lambda: found.top_logprob_TK[:, 0], "top20_logprob": lambda: found.top_logprob_TK.mean(1)}
    values = [of_top[name]() if name in of_top else getattr(found, f"{name}_T") for name in names]
    return torch.stack([found.logprob_T, *(value.to(found.logprob_T.dtype) for value in values)])


def from_logits(logits_TV: Tensor, target_T: Tensor, names: Sequence[str]) -> Tensor:
    """The same from finished logits."""
    logit_T1, log_z_T = logits_TV.gather(-1, target_T[:, None]), logits_TV.logsumexp(-1)
    logprob_T = logit_T1[:, 0] - log_z_T
    if not names:
        return logprob_T.unsqueeze(0)
    logprob_TV = logits_TV.log_softmax(-1)
    p_TV = logprob_TV.exp()
    make: dict[str, Callable[[], Tensor]] = {
        "entropy": lambda: -torch.special.xlogy(p_TV, p_TV).sum(-1),
        "log_z": lambda: log_z_T,
        "mean_logit": lambda: logits_TV.mean(-1),
        "p_squared": lambda: p_TV.square().sum(-1),
        "rank": lambda: 1 + (logits_TV > logit_T1 + 2.0**-16 * logit_T1.abs().clamp(min=1)).sum(-1),  # the rule of `token_statistics`
        "top_logprob": lambda: logprob_TV.amax(-1),
        "top20_logprob": lambda: logprob_TV.topk(min(TOP, logprob_TV.shape[-1])).values.mean(-1),
    }
    return torch.stack([logprob_T, *(make[name]().to(logprob_T.dtype) for name in names)])
