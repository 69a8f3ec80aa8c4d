"""Chooses each row's next token with that row's own random numbers, inside transformers' `generate`, and keeps its log-probability.

`generate` runs greedily; this processor makes the chosen token the only possible one. Shapes: B rows, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor


class SeededSampler(LogitsProcessor):  # type: ignore[misc]
    """Temperature and nucleus sampling by inverse cumulative probability."""

    def __init__(self, seeds: Sequence[int], max_new_tokens: int, temperature: float, top_p: float) -> None:
        draws = [np.random.Generator(np.random.PCG64(seed)).random(max_new_tokens) for seed in seeds]
        self.uniform_BT = torch.from_numpy(np.stack(draws))
        self.temperature = temperature
        self.top_p = top_p
        self.chosen_logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = len(self.chosen_logprobs)
        logprob_BV = scores.float().log_softmax(-1)
        choice_B1 = logprob_BV.argmax(-1, keepdim=True) if self.temperature == 0 else self._draw(logprob_BV, step)
        self.chosen_logprobs.append(logprob_BV.gather(-1, choice_B1).squeeze(-1))
        return torch.full_like(scores, float("-inf")).scatter_(-1, choice_B1, 0.0)

    def _draw(self, logprob_BV: Tensor, step: int) -> Tensor:
        """Token at which the cumulative probability passes the row's random number."""
        probability_BV = (logprob_BV.double() / self.temperature).softmax(-1)
        sorted_BV, token_BV = probability_BV.sort(stable=True, dim=-1, descending=True)
        cumulative_BV = sorted_BV.cumsum(-1)
        if self.top_p < 1:
            sorted_BV = sorted_BV.masked_fill(cumulative_BV - sorted_BV >= self.top_p, 0.0)
            cumulative_BV = sorted_BV.cumsum(-1)
        point_B1 = self.uniform_BT[:, step : step + 1].to(cumulative_BV.device) * cumulative_BV[:, -1:]
        place_B1 = torch.searchsorted(cumulative_BV, point_B1, right=True).clamp_(max=cumulative_BV.shape[-1] - 1)
        return token_BV.gather(-1, place_B1)

    def logprobs(self) -> list[list[float]]:
        """Log-probability at temperature 1 of each chosen token, in nats, by row."""
        rows: list[list[float]] = torch.stack(self.chosen_logprobs, -1).tolist()
        return rows
