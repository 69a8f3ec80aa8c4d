"""R⋆ and its relatives for one path, from the log-probabilities that came with its sampled tokens: plain Python, no tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adjudge import ReasoningPath, Score


def mean_probability(logprobs: Sequence[float]) -> float:
    """Arithmetic mean of the probabilities; in (0, 1]."""
    return math.fsum(map(math.exp, logprobs)) / len(logprobs)


def rstar(path: ReasoningPath) -> Score:
    """R⋆ with its factors and the number of tokens each was taken over; None without reasoning or answer tokens."""
    reasoning, answer = path.reasoning_logprobs, path.answer_logprobs
    if not reasoning or not answer:
        return Score(path.id, None)
    consistency, validity = mean_probability(reasoning), mean_probability(answer)
    parts = {
        "self_consistency": consistency,
        "validity": validity,
        "reasoning_tokens": float(len(reasoning)),
        "answer_tokens": float(len(answer)),
    }
    return Score(path.id, consistency * validity, parts)


def geometric_rstar(path: ReasoningPath) -> Score:
    """exp(mean log p) · exp(mean log q): R⋆ with geometric means; None without reasoning or answer tokens."""
    reasoning, answer = path.reasoning_logprobs, path.answer_logprobs
    if not reasoning or not answer:
        return Score(path.id, None)
    factors = [math.exp(min(0.0, math.fsum(logprobs) / len(logprobs))) for logprobs in (reasoning, answer)]
    return Score(path.id, factors[0] * factors[1], {"self_consistency": factors[0], "validity": factors[1]})


def part(path: ReasoningPath, name: str) -> Score:
    """One factor of R⋆ as a score of its own."""
    score = rstar(path)
    return Score(path.id, None if score.value is None else score.parts[name], score.parts)


def likelihood(path: ReasoningPath) -> Score:
    """Sum of log-probabilities, in nats."""
    logprobs = [*(path.reasoning_logprobs or ()), *(path.answer_logprobs or ())]
    return Score(path.id, math.fsum(logprobs) if logprobs else None, {"tokens": float(len(logprobs))})


def mean_logprob(path: ReasoningPath) -> Score:
    """Mean log-probability, in nats per token."""
    total = likelihood(path)
    return Score(path.id, None if total.value is None else total.value / total.parts["tokens"], total.parts)


def length(path: ReasoningPath, sign: int) -> Score:
    """Number of tokens as a score, with this sign; None without tokens."""
    tokens = len(path.completion.token_ids)
    return Score(path.id, float(sign * tokens) if tokens else None)
