"""R⋆ and its relatives for one path, from the log-probabilities that came with its sampled tokens: plain Python, no tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adjudge import Path, Score, Span


def span_tokens(ends: Sequence[int], span: Span | None) -> list[int]:
    """Indices of the tokens whose last character lies in a span of the text.

    `ends` has, for each token, the position just after its last character, and -1 for a token that writes nothing.
    """
    if span is None:
        return []
    start, stop = span
    return [index for index, end in enumerate(ends) if start < end <= stop]


def logprobs_of(path: Path) -> tuple[list[float], list[float]]:
    """Log-probabilities, in nats, of the reasoning tokens and of the answer tokens."""
    completion = path.completion
    if completion.logprobs is None:
        return [], []
    reasoning = span_tokens(completion.ends, path.verdict.reasoning)
    answer = span_tokens(completion.ends, path.verdict.answer)
    return [completion.logprobs[i] for i in reasoning], [completion.logprobs[i] for i in answer]


def mean_probability(logprobs: Sequence[float]) -> float:
    """Arithmetic mean of the probabilities; in (0, 1]."""
    return math.fsum(map(math.exp, logprobs)) / len(logprobs)


def rstar(path: Path) -> Score:
    """R⋆ with its factors and the number of tokens each was taken over; None without reasoning or answer tokens."""
    reasoning, answer = logprobs_of(path)
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


def part(path: Path, name: str) -> Score:
    """One factor of R⋆ as a score of its own."""
    score = rstar(path)
    return Score(path.id, None if score.value is None else score.parts[name], score.parts)


def likelihood(path: Path) -> Score:
    """Sum of log-probabilities, in nats."""
    logprobs = [value for values in logprobs_of(path) for value in values]
    return Score(path.id, math.fsum(logprobs) if logprobs else None, {"tokens": float(len(logprobs))})


def mean_logprob(path: Path) -> Score:
    """Mean log-probability, in nats per token."""
    total = likelihood(path)
    return Score(path.id, None if total.value is None else total.value / total.parts["tokens"], total.parts)


def length(path: Path, sign: int) -> Score:
    """Number of tokens as a score, with this sign; None without tokens."""
    tokens = len(path.completion.token_ids)
    return Score(path.id, float(sign * tokens) if tokens else None)
