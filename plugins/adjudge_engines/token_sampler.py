"""Samples from a model that is in the making, as the engine `hf` does from one in a folder: for trainers whose rollouts it is to write."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from .continuous import ContinuousBatch, Row, trouble
from .exact_head import keep_exact
from .packed_linear import pack
from .scoring import shares_prompts

BUDGET = 65536
"""Prompt and new tokens of the rows that are sampled at once."""


class TokenSampler:
    """Rows that share their prompts, come and go; each row's tokens follow from its prompt, its seed and the model's weights alone."""

    def __init__(self, model: Any, tokenizer: Any, *, eos: Sequence[int], pad: int) -> None:
        """`model`: one of transformers' own, whose weights may change between calls; it is to be in evaluation mode when it is asked."""
        self.model, self.tokenizer, self.eos, self.pad = model, tokenizer, tuple(eos), pad

    def trouble(self, longest: int) -> str | None:
        """Why this model cannot be sampled so at a length of prompt and new tokens; None where it can."""
        if not shares_prompts(self.model, longest):
            return "its cache cannot be split into rows"
        return trouble(self.model, self.pad)

    def __call__(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int],
        room: int,
        temperature: float,
        top_p: float,
        stop: Sequence[str] = (),
    ) -> list[list[int]]:
        """New tokens behind each prompt, at most `room`, the one that ended them among them."""
        batch = ContinuousBatch(
            self.model, self.tokenizer, pad=self.pad, eos=self.eos, temperature=temperature, top_p=top_p, stop=stop
        )  # fmt: skip
        order = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), tuple(prompts[index]), index))
        found: list[list[int]] = [[] for _ in prompts]
        for row in batch([Row(index, tuple(prompts[index]), seeds[index], room) for index in order], BUDGET):
            found[row.index] = row.tokens
        return found


def in_bfloat16(model: Any, *, frozen: bool) -> Any:
    """A copy of the model in bfloat16 to sample from, its buffers and its likeliest logits as precise as before.

    `frozen`: its weights do not change any more, so they are laid out for sampling once.
    """
    copy = deepcopy(model).eval().requires_grad_(False)
    for parameter in copy.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    keep_exact(copy)
    if frozen:
        pack(copy)
    return copy
