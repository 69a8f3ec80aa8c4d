"""The path scorers that are compared, and scores of many paths by each: every scorer that one embedded judge can serve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from adjudge import ConfigError, OpenJudge, PathScorer, Plugins, Problem, ReasoningPath, score_paths, validate

WINDOW = 16
"""Tokens of a window: an embedded judge writes some forty."""
SCORERS: dict[str, Any] = {
    "rstar": "rstar",
    "geometric-rstar": "geometric-rstar",
    "self-consistency": "self-consistency",
    "validity": "validity",
    "likelihood": "likelihood",
    "mean-logprob": "mean-logprob",
    "picsar, normalised": {"use": "picsar", "normalised": True},
    "worst-window": {"use": "worst-window", "window": WINDOW},
    "vote-share": "vote-share",
    "order-agreement": "order-agreement",
    "structure": "structure",
    "self-certainty": "self-certainty",
    **{
        f"deepconf, {over}": {"use": "deepconf", "over": over, "window": WINDOW}
        for over in ("mean", "tail", "bottom", "lowest")
    },
    "entropy": "entropy",
    "entropy, top fifth": {"use": "entropy", "top": 0.2},
    "rank-surprisal": "rank-surprisal",
    "verdict-margin": "verdict-margin",
    "local-logprob": "local-logprob",
    "path-gain": "path-gain",
    "longppl": "longppl",
    "p-true": "p-true",
    "combine: rstar, vote-share": {"use": "combine", "scorers": ["rstar", "vote-share"]},
    "shortest": "shortest",
    "longest": "longest",
    "random": "random",
    "reference-probability": "reference-probability",
    "reference-logprob": "reference-logprob",
    "reference-likelihood": "reference-likelihood",
    "reference-perplexity": "reference-perplexity",
    "reward-weighted-likelihood": {"use": "reward-weighted-likelihood", "rules": ["verdict"]},
}  # fmt: skip
"""By what they are called in the tables; the last five read the label. Left out: `picsar` in its plain form, which is `likelihood`;
`perplexity`, whose order is that of `mean-logprob`; `prm` and `model`, which ask other models and have a part of their own."""
STATISTICS = ("entropy", "log_z", "mean_logit", "rank", "top20_logprob")
"""What the scorers read of every token beside its log-probability; taken in one pass for all of them."""

Values = list[float | None]


def scores(
    judge: OpenJudge, groups: Sequence[tuple[Problem, Sequence[ReasoningPath]]], plugins: Plugins, scorers: Mapping[str, Any] = SCORERS
) -> tuple[list[list[ReasoningPath]], dict[str, list[Values]], dict[str, str]]:
    """The decided paths of every problem, their scores by every scorer, and why a scorer could not be asked."""
    decided = [(problem, [path for path in paths if path.outcome.decided]) for problem, paths in groups]
    known = [judge.with_logprobs(problem, paths, STATISTICS) for problem, paths in decided]
    found: dict[str, list[Values]] = {}
    refused: dict[str, str] = {}
    for name, options in scorers.items():
        scorer = validate(PathScorer, options, plugins, "scorer")
        try:
            found[name] = [
                [score.value for score in score_paths(scorer, problem, paths, judge.session, judge.options, pool)]
                for (problem, pool), paths in zip(groups, known, strict=True)
            ]
        except ConfigError as error:
            refused[name] = str(error).split("\n")[0]
    return known, found, refused


def auc(higher: Sequence[float], lower: Sequence[float]) -> float | None:
    """The share of pairs in which the first is higher, in [0, 1]; ties count half. None without pairs."""
    if not higher or not lower:
        return None
    counts, others = Counter(higher), Counter(lower)
    below, won = 0, 0.0
    for value in sorted({*counts, *others}):
        won += counts[value] * (below + 0.5 * others[value])
        below += others[value]
    return won / (len(higher) * len(lower))


def spearman(one: Values, other: Values) -> float | None:
    """Rank correlation of two scores of the same paths, ties with their mean rank; None where either says nothing."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    first, second = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    means = fmean(first), fmean(second)
    covariance = math.fsum((a - means[0]) * (b - means[1]) for a, b in zip(first, second, strict=True))
    return covariance / math.sqrt(math.fsum((a - means[0]) ** 2 for a in first) * math.fsum((b - means[1]) ** 2 for b in second))


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(order)))}
    counts = Counter(values)
    return [first[value] + (counts[value] - 1) / 2 for value in values]
