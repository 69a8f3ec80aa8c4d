"""The seeded choice of a token, tried among the likeliest first, is the one that sorting the whole vocabulary gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge_engines.sampler import SeededSampler


def by_sorting(scores: Sequence[float], uniform: float, temperature: float, top_p: float) -> int:
    """Inverse cumulative probability, the likeliest token first and the lower id of equals."""
    logits = np.asarray(scores, np.float64) / temperature
    probability = np.exp(logits - logits.max())
    order = np.argsort(-logits, kind="stable")
    cumulative = np.cumsum(probability[order] / probability.sum())
    kept = int((cumulative < top_p).sum()) + 1 if top_p < 1 else len(order)
    inside = cumulative[:kept]
    return int(order[min(int(np.searchsorted(inside, uniform * inside[-1], side="right")), kept - 1)])


def drawn(scores: torch.Tensor, seeds: list[int], temperature: float, top_p: float) -> list[int]:
    sampler = SeededSampler(seeds, 1, temperature, top_p)
    chosen = sampler(torch.zeros(len(seeds), 1, dtype=torch.long), scores)
    return [int(row.argmax()) for row in chosen]


@settings(max_examples=150, deadline=None)
@given(
    size=st.sampled_from([2, 4, 5, 31, 32, 33, 200]),
    kinds=st.sampled_from([2, 3, 1000]),
    spread=st.sampled_from([0.0, 0.5, 3.0, 30.0]),
    temperature=st.sampled_from([0.2, 1.0, 1.7]),
    top_p=st.sampled_from([1.0, 0.999, 0.9, 0.3, 1e-6]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_choice_is_that_of_sorting_everything(
    size: int, kinds: int, spread: float, temperature: float, top_p: float, seed: int
) -> None:
    """With few kinds of scores most tokens are as likely as others, and flat scores put most choices outside of the likeliest."""
    make = np.random.default_rng(seed)
    scores = torch.from_numpy((make.integers(0, kinds, (8, size)) / kinds * spread).astype(np.float32))
    seeds = [seed + row for row in range(8)]
    uniform = [np.random.Generator(np.random.PCG64(one)).random(1)[0] for one in seeds]
    expected = [by_sorting(row.log_softmax(-1).tolist(), one, temperature, top_p) for row, one in zip(scores, uniform, strict=True)]
    assert drawn(scores, seeds, temperature, top_p) == expected


def test_scores_that_are_ruled_out_are_never_chosen() -> None:
    scores = torch.full((64, 100), float("-inf"))
    scores[:, [7, 93]] = 0.0
    assert set(drawn(scores, list(range(64)), 1.0, 1.0)) == {7, 93}
