"""Reads prompts once for all of their samples: keys and values, several prompts at a time, what they begin with alike computed once.

Shapes: B prompts, W tokens of the longest of them behind what they share, H heads, P tokens of a prompt, D dimension of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from .shared_attention import Trunk

Ids = tuple[int, ...]
LONG = 256
"""Tokens of a prompt above which an eighth of it or less is read again with each: attention to what was read before takes a mask."""


def shared(prompts: Sequence[Ids]) -> int:
    """How many tokens these prompts begin with alike, the last token of each left out."""
    first, last = min(prompts), max(prompts)  # in order, so that all between them share what these two do
    return min(
        next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)), *(len(p) - 1 for p in prompts)
    )


def together(prompts: Sequence[Ids], budget: int) -> int:
    """How many of the first prompts are best read together: within the budget, and where reading the next one apart is no cheaper."""
    count, cost = 1, len(prompts[0])
    for count in range(2, len(prompts) + 1):
        alike = shared(prompts[:count])
        joined = alike + sum(len(prompt) - alike for prompt in prompts[:count])
        if joined > min(budget, cost + len(prompts[count - 1])):
            return count - 1
        cost = joined
    return count


def read_trunks(model: Any, prompts: Sequence[Ids], pad: int) -> list[Trunk]:
    """Keys and values of each prompt but for its last token, which the first step of sampling reads."""
    alike = shared(prompts) if len(prompts) > 1 else 0
    if max(map(len, prompts)) > max(LONG, alike * 8):
        alike = 0
    decoder, device = model.get_decoder(), model.device
    cache = DynamicCache()
    if alike:
        decoder(input_ids=torch.tensor([prompts[0][:alike]], device=device), past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(prompts))
    width = max(map(len, prompts)) - 1 - alike
    if width:
        # Padded on the right, where no token of the prompt looks, so neither a mask nor positions are needed.
        rest = [prompt[alike:-1] for prompt in prompts]
        ids_BW = torch.tensor([[*ids, *[pad] * (width - len(ids))] for ids in rest], device=device)
        decoder(input_ids=ids_BW, past_key_values=cache, use_cache=True)
    return [
        [(layer.keys[row, :, : len(prompt) - 1], layer.values[row, :, : len(prompt) - 1]) for layer in cache.layers]
        for row, prompt in enumerate(prompts)
    ]
