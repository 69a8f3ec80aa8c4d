"""Attention of rows of which some share a prompt on a CPU: the prompt's keys and values are read once for all of these rows.

What a row attends to in the prompt and in what is its own are merged by the logarithms of their sums of exponentials.
Shapes: B rows, S of them share prompts, R of these share one, H heads of keys and values, G queries of such a head, L columns,
P tokens, D dimension of a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

NAME = "adjudge_shared"
"""What transformers calls this attention; a model has it only while a step of sampling is made."""
Trunk = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of a prompt by layer, shape (H, P, D) each."""
Sharing = Sequence[tuple[Tensor, Trunk]]
"""Prompts, each with the places of its rows, shape (R,)."""
HARMLESS = frozenset({"use_cache", "position_ids", "cache_position", "is_causal", "sliding_window", "output_attentions"})
"""Further arguments of attention that change nothing in a step that keeps every token."""


def can_share(model: Any) -> bool:
    """Whether rows of this model may take this attention; a trial says then whether it is right."""
    return bool(model.device.type == "cpu" and model.config.get_text_config(decoder=True)._attn_implementation == "sdpa")


@contextmanager
def attention_of(model: Any, sharing: Sharing) -> Iterator[dict[str, Any]]:
    """Arguments of a call of the model in which rows share these prompts; none where nothing is shared."""
    if not sharing:
        yield {}
        return
    config = model.config.get_text_config(decoder=True)
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield {"sharing": sharing}
    finally:
        config._attn_implementation = before


def shared_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, *, sharing: Sharing, scaling: float | None = None,
    dropout: float = 0.0, **others: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """One query to a row, behind its own columns of `key` and its shared prompt; raises `TypeError` for attention of another kind."""
    if odd := {name for name, given in others.items() if name not in HARMLESS and given is not None}:
        raise TypeError(f"attention is given {', '.join(sorted(odd))}")
    rows, heads = key.shape[:2]
    query_BHGD = query.reshape(rows, heads, -1, query.shape[-1])
    own_BHGD, own_sum_BHG = attend(query_BHGD, key, value, scaling, attention_mask)
    if sharing:
        rows_S = torch.cat([rows_R for rows_R, _ in sharing])
        query_HSGD = query_BHGD.transpose(0, 1).index_select(1, rows_S)
        found, sums = [], []
        for (_, trunk), query_HRGD in zip(sharing, query_HSGD.split([len(rows_R) for rows_R, _ in sharing], 1), strict=True):
            key_HPD, value_HPD = trunk[module.layer_idx]
            found_1HND, sum_1HN = attend(query_HRGD.reshape(1, heads, -1, query.shape[-1]), key_HPD[None], value_HPD[None], scaling)
            found.append(found_1HND.view(query_HRGD.shape))
            sums.append(sum_1HN.view(query_HRGD.shape[:-1]))
        trunk_SHGD, trunk_sum_SHG = torch.cat(found, 1).transpose(0, 1), torch.cat(sums, 1).transpose(0, 1)
        share_SHG1 = torch.sigmoid(trunk_sum_SHG - own_sum_BHG[rows_S]).unsqueeze(-1).float()
        own_BHGD[rows_S] = own_BHGD[rows_S].float().lerp(trunk_SHGD.float(), share_SHG1).to(query.dtype)
    return own_BHGD.reshape(rows, 1, -1, value.shape[-1]), None


def attend(query: Tensor, key: Tensor, value: Tensor, scaling: float | None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What torch's own attention on a CPU finds, and the logarithm of the sum of exponentials that it divided by."""
    ask = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    found: tuple[Tensor, Tensor] = ask(query, key, value, attn_mask=mask, scale=scaling)
    return found


AttentionInterface.register(NAME, shared_attention)
