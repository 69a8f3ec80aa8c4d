"""Small groups of paths scored together: their prompts are read at once, then all of their paths, in rows that each have one prompt.

Shapes: N prompts, P tokens of the longest, B rows, W tokens of a row, T scored tokens, S numbers of each, D model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from adjudge_rstar import Head

from .packing import KEYS_PER_TOKEN, first_fit
from .strategies import numbers_of, predictors_of

Group = tuple[Sequence[int], Sequence[Sequence[int]]]
"""A prompt and its paths, as token ids."""
MOST_PADDING = 1.2
"""Tokens that are read, over those that are not padding, up to which groups go together: one by one they have less padding."""


class OwnedLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values of every prompt: a row reads those of its own, and nothing is added."""

    def __init__(self, read: DynamicLayer, owner_B: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.owner_B, self.is_initialized = read.keys, read.values, owner_B, True
        self.dtype, self.device = read.keys.dtype, read.keys.device

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        keys, values = (states.index_select(0, self.owner_B) for states in (self.keys, self.values))
        return torch.cat([keys, key_states], -2), torch.cat([values, value_states], -2)


class SideBySide:
    """Paths of several prompts, each of which has at least one, and none without tokens."""

    def __init__(self, model: Any, groups: Sequence[Group], pad: int) -> None:
        self.decoder, self.head, self.dtype, self.device = model.get_decoder(), Head.of(model), model.dtype, model.device
        self.prompts, self.pad = [list(prompt) for prompt, _ in groups], pad
        self.sizes = [len(paths) for _, paths in groups]
        self.rows = _rows(groups)
        self.paths = [[list(groups[owner][1][index]) for index in row] for owner, row in self.rows]
        """Row by row."""

    def score(self, names: Sequence[str] = ()) -> list[list[Tensor]]:
        """Group by group, log-probabilities of each path's tokens in nats, and as many rows of statistics as `names`, (S, T)."""
        cache = DynamicCache()
        last_ND = self._read_prompts(cache)
        read = [[path[:-1] for path in row] for row in self.paths]
        width = max(sum(map(len, row)) for row in read)
        hidden_ND = torch.cat([last_ND, self._read(cache, read, width).flatten(0, 1)]) if width else last_ND
        places = ((owner, len(last_ND) + width * number) for number, (owner, _) in enumerate(self.rows))
        predictors = [predictors_of(row, *place) for row, place in zip(self.paths, places, strict=True)]
        paths = list(chain.from_iterable(self.paths))
        value_ST = numbers_of(self.head, hidden_ND, list(chain.from_iterable(predictors)), list(chain.from_iterable(paths)), names)
        order = [(owner, index) for owner, row in self.rows for index in row]
        found = dict(zip(order, value_ST.split([len(path) for path in paths], 1), strict=True))
        return [[found[owner, index] for index in range(self.sizes[owner])] for owner in range(len(self.sizes))]

    def _read_prompts(self, cache: DynamicCache) -> Tensor:
        """Every prompt's last hidden state; shape (N, D)."""
        lengths = [len(prompt) for prompt in self.prompts]
        hidden_NPD = self.decoder(
            input_ids=self._tensor(self.prompts, max(lengths), self.pad),
            attention_mask=self._tensor([[1] * length for length in lengths], max(lengths), 0),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return hidden_NPD[torch.arange(len(lengths)), torch.tensor(lengths) - 1]

    def _read(self, cache: DynamicCache, rows: list[list[list[int]]], width: int) -> Tensor:
        """Hidden states of the rows; shape (B, W, D)."""
        owners = [owner for owner, _ in self.rows]
        owner_B = torch.tensor(owners, device=self.device)
        cache.layers = [OwnedLayer(layer, owner_B) for layer in cache.layers]
        ids = [list(chain.from_iterable(row)) for row in rows]
        starts = [len(self.prompts[owner]) for owner in owners]
        places = [[start + place for path in row for place in range(len(path))] for start, row in zip(starts, rows, strict=True)]
        hidden_BWD: Tensor = self.decoder(
            input_ids=self._tensor(ids, width, self.pad),
            position_ids=self._tensor(places, width, 0),
            attention_mask=self._mask(rows, starts, width),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return hidden_BWD

    def _mask(self, rows: list[list[list[int]]], starts: list[int], width: int) -> Tensor:
        """0 where a token sees its prompt and what is before it in its own path, else -inf; shape (B, 1, W, P + W)."""
        numbers = [[number for number, path in enumerate(row) for _ in path] for row in rows]
        path_BW = self._tensor(numbers, width, -1)
        own_BWW = (path_BW[:, :, None] == path_BW[:, None, :]).tril()
        start_B1 = torch.tensor(starts, device=self.device)[:, None]
        prompt_BP = torch.arange(max(map(len, self.prompts)), device=self.device) < start_B1
        sees_BWK = torch.cat([prompt_BP[:, None].expand(-1, width, -1), own_BWW], -1)
        return torch.zeros(sees_BWK.shape, dtype=self.dtype, device=self.device).masked_fill_(~sees_BWK, float("-inf"))[:, None]

    def _tensor(self, rows: Sequence[list[int]], width: int, fill: int) -> Tensor:
        return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=self.device)


def _rows(groups: Sequence[Group]) -> list[tuple[int, list[int]]]:
    """Rows as wide as the longest path is read, each with the group that it belongs to."""
    width = max(len(path) - 1 for _, paths in groups for path in paths)
    return [(owner, row) for owner, (_, paths) in enumerate(groups) for row in first_fit([len(path) - 1 for path in paths], width)]


def fitting(groups: Sequence[Group], budget: int) -> int:
    """How many of the groups, from the first on, can be scored together in batches of so many tokens; at least one."""
    for size in range(2, len(groups) + 1):
        some = groups[:size]
        longest, width = max(len(prompt) for prompt, _ in some), max(len(path) - 1 for _, paths in some for path in paths)
        rows, tokens = len(_rows(some)), sum(len(prompt) + sum(len(path) - 1 for path in paths) for prompt, paths in some)
        read = size * longest, rows * width
        if max(read) > budget or rows * longest > KEYS_PER_TOKEN * budget or sum(read) > MOST_PADDING * tokens:
            return size - 1
    return len(groups)
