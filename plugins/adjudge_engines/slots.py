"""Keys and values of the rows that are being sampled: each row has a slot, which another row takes when it ends.

A slot begins with the row's prompt, or behind it where rows share the prompt's own keys and values.
Shapes: N slots, H heads of keys and values, L columns of a slot, D dimension of a head, B rows in use (the first B slots).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .shared_attention import Sharing, Trunk

START, GROWTH = 16, 64
"""Columns behind the prompt at first, while prompts are held beside the slots, and how many slots get at least when they are too short."""


class SlotLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's slots; a step writes each row's newest key and value in that row's own column, and copies nothing else."""

    def __init__(self, like: tuple[Tensor, Tensor], slots: int, columns: int, at: Slots) -> None:
        super().__init__()
        # Zeros, since a masked column still has its values multiplied, by 0.
        self.keys, self.values = (one.new_zeros((slots, one.shape[0], columns, one.shape[-1])) for one in like)
        self.dtype, self.device, self.is_initialized = self.keys.dtype, self.keys.device, True
        self.at = at

    def grow(self, columns: int) -> None:
        """Have so many columns, the first of them as they were."""
        for name in ("keys", "values"):
            before = getattr(self, name)
            after = before.new_zeros((*before.shape[:2], columns, before.shape[-1]))
            after[:, :, : before.shape[2]] = before
            setattr(self, name, after)

    def update(self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object) -> tuple[Tensor, Tensor]:
        rows_B, column_B, columns = self.at.rows_B, self.at.column_B, self.at.columns
        self.keys[rows_B, :, column_B] = key_states[:, :, 0]
        self.values[rows_B, :, column_B] = value_states[:, :, 0]
        return self.keys[: len(rows_B), :, :columns], self.values[: len(rows_B), :, :columns]


class Slots:
    """The slots of all layers; rows in use are always the first ones.

    Slots become longer as rows do, a layer after the other: most judgements end long before they have taken all the tokens they may.
    """

    def __init__(self, like: Trunk, slots: int, columns: int) -> None:
        self.rows_B = self.column_B = torch.empty(0, dtype=torch.long)
        self.columns = 0
        """As many columns as the longest row in use has."""
        self.most = columns
        self.room = 0
        """Columns that there are by now."""
        self.shared: list[Trunk | None] = [None] * slots
        """The prompt that a slot's row shares with others, and that is not in the slot."""
        self.cache = DynamicCache()
        self.cache.layers = [SlotLayer(layer, slots, self.room, self) for layer in like]

    def _need(self, columns: int) -> None:
        if columns > self.room:
            self._grow(max(columns, self.room + max(GROWTH, self.room // 8)))

    def _grow(self, columns: int) -> None:
        self.room = min(self.most, columns)
        for layer in self.cache.layers:
            layer.grow(self.room)

    def put(self, slot: int, trunk: Trunk, *, shared: bool = False) -> None:
        """Begin a row with its prompt, or behind it where it is shared."""
        self.shared[slot] = trunk if shared else None
        if shared:
            return
        if self.room < trunk[0][0].shape[1]:
            self._grow(trunk[0][0].shape[1] + START)
        for layer, (key_HPD, value_HPD) in zip(self.cache.layers, trunk, strict=True):
            layer.keys[slot, :, : key_HPD.shape[1]] = key_HPD
            layer.values[slot, :, : key_HPD.shape[1]] = value_HPD

    def move(self, slot: int, to: int, length: int) -> None:
        """Bring a row of so many tokens to another slot."""
        self.shared[to] = self.shared[slot]
        length -= self._before(slot)
        for layer in self.cache.layers:
            layer.keys[to, :, :length] = layer.keys[slot, :, :length]
            layer.values[to, :, :length] = layer.values[slot, :, :length]

    def _before(self, slot: int) -> int:
        """Tokens of a row that are not in its slot."""
        trunk = self.shared[slot]
        return 0 if trunk is None else trunk[0][0].shape[1]

    def shares(self, trunk: Trunk, rows: int) -> bool:
        """Whether one of the first so many rows shares this prompt."""
        return any(other is trunk for other in self.shared[:rows])

    def at(self, lengths: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """Make the next step write behind rows of these lengths; the mask (B, 1, 1, L) and the positions (B, 1) of that step."""
        columns = [length - self._before(slot) for slot, length in enumerate(lengths)]
        self.column_B = torch.tensor(columns, device=device)
        self.rows_B = torch.arange(len(lengths), device=device)
        self.columns = max(columns) + 1
        self._need(self.columns)
        mask_BL = torch.arange(self.columns, device=device) <= self.column_B[:, None]
        return mask_BL[:, None, None], torch.tensor(lengths, device=device)[:, None]

    def sharing(self, rows: int) -> Sharing:
        """The prompts that the first so many rows share, with the places of the rows of each."""
        found: dict[int, tuple[list[int], Trunk]] = {}
        for slot, trunk in enumerate(self.shared[:rows]):
            if trunk is not None:
                found.setdefault(id(trunk), ([], trunk))[0].append(slot)
        return [(torch.tensor(slots), trunk) for slots, trunk in found.values()]
