"""Chooses each row's next token with that row's own random numbers, inside transformers' `generate`, and keeps its log-probability.

`generate` runs greedily; this processor makes the chosen token the only possible one. Shapes: B rows, T tokens, V vocabulary,
K likeliest tokens, R the rows that are not decided yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from .tally import sampled_tokens

LIKELIEST = (32, 1024)
"""K: of how many tokens the choice is tried first, and of how many then for the rows where that was too few, before all are sorted."""


class SeededSampler(LogitsProcessor):  # type: ignore[misc]
    """Temperature and nucleus sampling by inverse cumulative probability."""

    def __init__(self, seeds: Sequence[int], max_new_tokens: int, temperature: float, top_p: float) -> None:
        draws = [np.random.Generator(np.random.PCG64(seed)).random(max_new_tokens) for seed in seeds]
        self.uniform_BT = torch.from_numpy(np.stack(draws)) if draws else torch.empty(0, 0)
        self.temperature = temperature
        self.top_p = top_p
        self.chosen_logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = len(self.chosen_logprobs)
        choice_B1, chosen_B = self._choose(scores, self.uniform_BT[:, step : step + 1].to(scores.device))
        self.chosen_logprobs.append(chosen_B)
        sampled_tokens.add(len(chosen_B))
        return torch.full_like(scores, float("-inf")).scatter_(-1, choice_B1, 0.0)

    def choose(self, logits_BV: Tensor, uniform_B1: Tensor) -> tuple[list[int], list[float]]:
        """The next token of each row by that row's random number, and its log-probability."""
        choice_B1, chosen_B = self._choose(logits_BV, uniform_B1)
        return choice_B1.squeeze(-1).tolist(), chosen_B.tolist()

    def _choose(self, logits_BV: Tensor, uniform_B1: Tensor) -> tuple[Tensor, Tensor]:
        logprob_BV = logits_BV.float().log_softmax(-1)
        choice_B1 = logprob_BV.argmax(-1, keepdim=True) if self.temperature == 0 else self._draw(logprob_BV, uniform_B1)
        return choice_B1, logprob_BV.gather(-1, choice_B1).squeeze(-1)

    def _draw(self, logprob_BV: Tensor, uniform_B1: Tensor) -> Tensor:
        """Token at which the cumulative probability passes the row's random number, the likeliest first and the lower id of equals.

        It nearly always is among a few, and sorting a vocabulary takes longer than a small model does.
        """
        most_B1 = logprob_BV.amax(-1, keepdim=True)
        total_B1 = (logprob_BV - most_B1).div_(self.temperature).exp_().sum(-1, keepdim=True).double()
        choice_B1 = torch.empty_like(uniform_B1, dtype=torch.long)
        left_R = torch.arange(len(choice_B1), device=choice_B1.device)
        left = logprob_BV, most_B1, total_B1, uniform_B1
        for size in LIKELIEST:
            found_R1, sure_R = self._of_the_likeliest(size, *left)
            choice_B1[left_R] = found_R1
            if not len(left_R := left_R[~sure_R]):
                return choice_B1
            left = tuple(one[~sure_R] for one in left)
        choice_B1[left_R] = self._of_all(*left)
        return choice_B1

    def _odds(self, logprob_BK: Tensor, most_B1: Tensor) -> Tensor:
        """How likely tokens are beside the likeliest, in double precision."""
        return logprob_BK.double().sub_(most_B1).div_(self.temperature).exp_()

    def _of_the_likeliest(
        self, size: int, logprob_BV: Tensor, most_B1: Tensor, total_B1: Tensor, uniform_B1: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The token if it is among the `size` likeliest, and whether it is; shapes (B, 1) and (B,)."""
        size = min(size, logprob_BV.shape[-1])
        by_id_BK = logprob_BV.topk(size, -1).indices.sort(-1).values
        value_BK, order_BK = logprob_BV.gather(-1, by_id_BK).sort(stable=True, dim=-1, descending=True)
        token_BK = by_id_BK.gather(-1, order_BK)
        # Of tokens as likely as the last of these some may be missing, so none of them counts.
        known_B = (value_BK > value_BK[:, -1:]).sum(-1)
        cumulative_BK = (self._odds(value_BK, most_B1) / total_B1).cumsum(-1)
        mass_B1 = torch.ones_like(total_B1)
        if self.top_p < 1:
            nucleus_B1 = (cumulative_BK < self.top_p).sum(-1, keepdim=True).clamp_(max=size - 1)
            known_B = known_B.where(nucleus_B1.squeeze(-1) < known_B, 0)
            mass_B1 = cumulative_BK.gather(-1, nucleus_B1)
        place_B1 = torch.searchsorted(cumulative_BK, uniform_B1 * mass_B1, right=True)
        return token_BK.gather(-1, place_B1.clamp(max=size - 1)), place_B1.squeeze(-1) < known_B

    def _of_all(self, logprob_BV: Tensor, most_B1: Tensor, total_B1: Tensor, uniform_B1: Tensor) -> Tensor:
        sorted_BV, token_BV = (self._odds(logprob_BV, most_B1) / total_B1).sort(stable=True, dim=-1, descending=True)
        cumulative_BV = sorted_BV.cumsum(-1)
        if self.top_p < 1:
            sorted_BV = sorted_BV.masked_fill(cumulative_BV - sorted_BV >= self.top_p, 0.0)
            cumulative_BV = sorted_BV.cumsum(-1)
        point_B1 = uniform_B1 * cumulative_BV[:, -1:]
        place_B1 = torch.searchsorted(cumulative_BV, point_B1, right=True).clamp_(max=cumulative_BV.shape[-1] - 1)
        return token_BV.gather(-1, place_B1)

    def logprobs(self) -> list[list[float]]:
        """Log-probability at temperature 1 of each chosen token, in nats, by row."""
        rows: list[list[float]] = torch.stack(self.chosen_logprobs, -1).tolist()
        return rows
