"""The most probable tokens of each row, kept while pieces of logits come by: looked for only in the blocks that can hold them.

Shapes: T tokens, C columns of one piece, K tokens kept, W blocks of a piece, N candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
"""Columns whose maximum is taken first; the K largest logits of a piece lie in the K blocks with the largest maxima."""

LAST = torch.iinfo(torch.int64).max
"""A token id behind all others, of a place that nothing has taken."""


@dataclass(frozen=True, slots=True)
class Top:
    """The K largest logits so far and their token ids, in falling order; updated in place."""

    logit_TK: Tensor
    id_TK: Tensor

    @classmethod
    def start(cls, tokens: int, kept: int, like: Tensor) -> Top:
        dtype = torch.promote_types(like.dtype, torch.float32)
        logit_TK = torch.full((tokens, kept), float("-inf"), dtype=dtype, device=like.device)
        return cls(logit_TK, torch.full((tokens, kept), LAST, device=like.device))

    def rows(self, start: int, stop: int) -> Top:
        """A view of some tokens."""
        return Top(self.logit_TK[start:stop], self.id_TK[start:stop])

    def take(self, logit_TC: Tensor, start: int) -> Tensor:
        """Take in a piece of logits, whose first column is token `start`; returns the column of each row's largest (T, 1)."""
        place_TN = _candidates(logit_TC, self.logit_TK.shape[1])
        logit_TN = logit_TC.gather(1, place_TN)
        self.keep(logit_TN, place_TN + start)
        return place_TN.gather(1, logit_TN.argmax(1, keepdim=True))

    def keep(self, logit_TN: Tensor, id_TN: Tensor) -> None:
        """Keep the largest of these and of what is kept; of equal logits the lower token id comes first."""
        logit_TN, id_TN = torch.cat([self.logit_TK, logit_TN], 1), torch.cat([self.id_TK, id_TN], 1)
        logit_TN, id_TN = in_order(*_largest(logit_TN, id_TN, self.logit_TK.shape[1]))
        self.logit_TK.copy_(logit_TN)
        self.id_TK.copy_(id_TN)


def in_order(logit_TN: Tensor, id_TN: Tensor) -> tuple[Tensor, Tensor]:
    """By falling logit, equal ones by rising token id."""
    id_TN, place_TN = id_TN.sort(1)
    logit_TN, order_TN = logit_TN.gather(1, place_TN).sort(dim=1, descending=True, stable=True)
    return logit_TN, id_TN.gather(1, order_TN)


def _largest(logit_TN: Tensor, id_TN: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    found = logit_TN.topk(kept, 1)
    return found.values, id_TN.gather(1, found.indices)


def _candidates(logit_TC: Tensor, kept: int) -> Tensor:
    """Columns among which the largest logits are; a block is every W-th column, so that maxima are taken over rows of memory."""
    tokens, columns = logit_TC.shape
    width = columns // BLOCK
    if kept >= width:
        return logit_TC.topk(min(kept, columns), 1).indices
    peak_TW = logit_TC[:, : width * BLOCK].reshape(tokens, BLOCK, width).amax(1)
    block_TK = peak_TW.topk(kept, 1).indices
    step_B = torch.arange(BLOCK, device=logit_TC.device) * width
    rest_R = torch.arange(width * BLOCK, columns, device=logit_TC.device).expand(tokens, -1)
    return torch.cat([(block_TK.unsqueeze(2) + step_B).flatten(1), rest_R], 1)
