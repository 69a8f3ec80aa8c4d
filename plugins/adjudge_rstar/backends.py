"""The backends of `token_logprobs` by name, and what all of them refuse; `chunked` is fp32 and holds a bounded number of logits.

Shapes: T tokens, V vocabulary, D model width, C tokens of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .reference import gather, reference

CHUNK_LOGITS = 2**24
"""Logits held at a time, 64 MiB in fp32."""


def check(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor) -> None:
    """Raise `ValueError` unless the three fit together and every target is a token of the vocabulary."""
    if hidden_TD.ndim != 2 or head_VD.ndim != 2 or hidden_TD.shape[1] != head_VD.shape[1]:
        raise ValueError(f"hidden must be (T, D) and head (V, D), not {tuple(hidden_TD.shape)} and {tuple(head_VD.shape)}")
    if target_T.shape != hidden_TD.shape[:1]:
        raise ValueError(f"target must be (T,) = ({hidden_TD.shape[0]},), not {tuple(target_T.shape)}")
    if target_T.numel() and not (int(target_T.min()) >= 0 and int(target_T.max()) < head_VD.shape[0]):
        raise ValueError(f"targets must lie in [0, {head_VD.shape[0]}), not [{int(target_T.min())}, {int(target_T.max())}]")


def chunked(hidden_TD: Tensor, head_VD: Tensor, target_T: Tensor) -> Tensor:
    """fp32, some tokens at a time."""
    size = max(1, CHUNK_LOGITS // head_VD.shape[0])
    head_DV = head_VD.float().T
    parts = [
        gather(hidden_CD.float() @ head_DV, target_C)
        for hidden_CD, target_C in zip(hidden_TD.split(size), target_T.split(size), strict=True)
    ]
    return torch.cat(parts)


BACKENDS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"reference": reference, "chunked": chunked}
