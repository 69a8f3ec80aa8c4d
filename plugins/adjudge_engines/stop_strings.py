"""Ends rows of transformers' `generate` whose new text holds a stop string.

Different from transformers' `stop_strings`: what a prompt ends with is no part of a match, and a string counts wherever it begins in
a token.
Shapes: B rows of a batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria


class StopsAtText(StoppingCriteria):  # type: ignore[misc]
    """Tells for each row whether its text behind the prompt, of `width` tokens, holds one of the strings."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], width: int) -> None:
        self.tokenizer, self.stop, self.width = tokenizer, stop, width
        self.window = max(len(one.encode()) for one in stop) + 4
        """Tokens in which the end of a string lies, at a byte each, and a character's first ones before them."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        return torch.tensor(self.told(input_ids[:, self.width :].tolist()), device=input_ids.device)

    def told(self, rows: Sequence[list[int]]) -> list[bool]:
        """For the new tokens of each row, whether a string ends in the newest of them."""
        newest = [row[-self.window :] for row in rows]
        texts = self.tokenizer.batch_decode(newest, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [any(one in text for one in self.stop) for text in texts]
