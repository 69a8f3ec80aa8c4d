"""Three strategies for the log-probabilities of a prompt's paths: the prompt read once, whole sequences, and the model's own logits.

Shapes: T scored tokens, S numbers of each, B rows, W tokens of a row, P prompt tokens, D model width, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from adjudge_rstar import Head

from .packing import Rows, balanced, padded
from .token_numbers import from_hidden, from_logits

Batch = Sequence[Sequence[Sequence[int]]]
"""Token ids of paths, row by row."""


class Strategy(Protocol):
    """Scores the paths of one prompt."""

    def __init__(self, model: Any, prompt: Sequence[int], pad: int) -> None: ...

    def rows(self, lengths: Sequence[int], budget: int) -> Rows:
        """The next batch, the first path in it, as indices into `lengths`, which are in falling order and above 0."""
        ...

    def score(self, batch: Batch, names: Sequence[str] = ()) -> Tensor:
        """Log-probabilities of all tokens in nats, row after row and path after path, and as many rows of statistics as `names`; (S, T)."""
        ...


class PromptLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values of a prompt: every row reads them, nothing is added, so a batch that fails leaves no trace."""

    def __init__(self, read: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = read.keys, read.values, True
        self.dtype, self.device = read.keys.dtype, read.keys.device

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        rows = (len(key_states), -1, -1, -1)
        return torch.cat([self.keys.expand(rows), key_states], -2), torch.cat([self.values.expand(rows), value_states], -2)


class SharedPrompt:
    """The model reads the prompt once; paths share its keys and values, and its last hidden state predicts every first token.

    A path's last token predicts nothing, so it is not read at all.
    """

    def __init__(self, model: Any, prompt: Sequence[int], pad: int) -> None:
        self.decoder, self.head, self.dtype, self.device = model.get_decoder(), Head.of(model), model.dtype, model.device
        self.length, self.pad = len(prompt), pad
        self.cache = DynamicCache()
        ids_BP = torch.tensor([list(prompt)], device=self.device)
        hidden_BPD = self.decoder(input_ids=ids_BP, past_key_values=self.cache, use_cache=True).last_hidden_state
        self.last_BD = hidden_BPD[:, -1].clone()
        self.cache.layers = [PromptLayer(layer) for layer in self.cache.layers]

    def rows(self, lengths: Sequence[int], budget: int) -> Rows:
        return balanced([length - 1 for length in lengths], self.length, budget, self.last_BD.shape[-1])

    def score(self, batch: Batch, names: Sequence[str] = ()) -> Tensor:
        read = [[list(path[:-1]) for path in row] for row in batch]
        width = max(sum(map(len, row)) for row in read)
        hidden_ND = torch.cat([self.last_BD, self._read(read, width).flatten(0, 1)]) if width else self.last_BD
        predictors = list(chain.from_iterable(predictors_of(row, 0, 1 + width * index) for index, row in enumerate(batch)))
        targets = [token for row in batch for path in row for token in path]
        return numbers_of(self.head, hidden_ND, predictors, targets, names)

    def _read(self, rows: list[list[list[int]]], width: int) -> Tensor:
        """Hidden states of the rows; shape (B, W, D)."""
        ids = [list(chain.from_iterable(row)) for row in rows]
        places = [[self.length + place for path in row for place in range(len(path))] for row in rows]
        ids_BW, places_BW = (self._tensor(lists, width, fill) for lists, fill in ((ids, self.pad), (places, self.length)))
        hidden_BWD: Tensor = self.decoder(
            input_ids=ids_BW,
            position_ids=places_BW,
            attention_mask=self._mask(rows, width),
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden_BWD

    def _mask(self, rows: list[list[list[int]]], width: int) -> Tensor:
        """0 where a token sees the prompt and what is before it in its own path, else -inf; shape (B or 1, 1, W, P + W)."""
        sees_BWW = torch.ones(1, width, width, dtype=torch.bool, device=self.device).tril()
        if any(len(row) > 1 for row in rows):
            paths = [[number for number, path in enumerate(row) for _ in path] for row in rows]
            path_BW = self._tensor(paths, width, -1)
            sees_BWW = sees_BWW & (path_BW[:, :, None] == path_BW[:, None, :])
        mask_BWK = torch.zeros(len(sees_BWW), width, self.length + width, dtype=self.dtype, device=self.device)
        mask_BWK[:, :, self.length :].masked_fill_(~sees_BWW, float("-inf"))
        return mask_BWK[:, None]

    def _tensor(self, rows: Sequence[list[int]], width: int, fill: int) -> Tensor:
        return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=self.device)


def numbers_of(head: Head, hidden_ND: Tensor, predictors: Sequence[int], targets: Sequence[int], names: Sequence[str]) -> Tensor:
    """Log-probability and statistics of each target from the hidden state in its predictor's row; shape (S, T)."""
    rows_T, target_T = (torch.tensor(numbers, device=hidden_ND.device) for numbers in (predictors, targets))
    return from_hidden(head, hidden_ND, rows_T, target_T, names)


def predictors_of(row: Sequence[Sequence[int]], prompt: int, start: int) -> list[int]:
    """For every token of a row's paths, which hidden state predicts it: the prompt's, or the one before it; the row's begin at `start`."""
    found: list[int] = []
    for path in row:
        found += [prompt, *range(start, start + len(path) - 1)]
        start += len(path) - 1
    return found


class WholeSequences:
    """Prompt and path together, a sequence to a row, padded on the right; logits are made at the paths' tokens only."""

    def __init__(self, model: Any, prompt: Sequence[int], pad: int) -> None:
        self.decoder, self.head, self.device = model.get_decoder(), Head.of(model), model.device
        self.prompt, self.pad = list(prompt), pad

    def rows(self, lengths: Sequence[int], budget: int) -> Rows:
        return padded([len(self.prompt) + length for length in lengths], budget)

    def score(self, batch: Batch, names: Sequence[str] = ()) -> Tensor:
        paths = [list(path) for row in batch for path in row]
        width = len(self.prompt) + max(map(len, paths))
        ids = [self.prompt + path + [self.pad] * (width - len(self.prompt) - len(path)) for path in paths]
        mask = [[1] * (len(self.prompt) + len(path)) + [0] * (width - len(self.prompt) - len(path)) for path in paths]
        hidden_BWD = self.decoder(
            input_ids=torch.tensor(ids, device=self.device), attention_mask=torch.tensor(mask, device=self.device), use_cache=False
        ).last_hidden_state
        predictors = [row * width + len(self.prompt) - 1 + place for row, path in enumerate(paths) for place in range(len(path))]
        targets = list(chain.from_iterable(paths))
        return numbers_of(self.head, hidden_BWD.flatten(0, 1), predictors, targets, names)


class OneByOne(WholeSequences):
    """Whole sequences one at a time, for models in which a longer neighbour moves the positions of all."""

    def rows(self, lengths: Sequence[int], budget: int) -> Rows:
        return [[0]]


class OwnLogits:
    """The model's own logits, one sequence at a time: right for every causal model, and what the other strategies are held against."""

    def __init__(self, model: Any, prompt: Sequence[int], pad: int) -> None:
        self.model, self.prompt = model, list(prompt)
        self.trims = "logits_to_keep" in inspect.signature(model.forward).parameters

    def rows(self, lengths: Sequence[int], budget: int) -> Rows:
        return [[0]]

    def score(self, batch: Batch, names: Sequence[str] = ()) -> Tensor:
        return torch.cat([self._one(list(path), names) for row in batch for path in row], 1)

    def _one(self, path: list[int], names: Sequence[str]) -> Tensor:
        ids_BW = torch.tensor([self.prompt + path], device=self.model.device)
        options = {"logits_to_keep": len(path) + 1} if self.trims else {}
        logits_TV = self.model(input_ids=ids_BW, use_cache=False, **options).logits[0, -len(path) - 1 : -1].float()
        target_T = torch.tensor(path, device=self.model.device)
        return from_logits(logits_TV, target_T, names)
