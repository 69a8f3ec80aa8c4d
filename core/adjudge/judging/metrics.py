"""What every metric of a judge means: the only place where one is defined, for training, evaluation, benchmarks and health alike.

- A call that **failed** says nothing: it is in no n, and its share stands beside every metric.
- **Accuracy** is the proportion of samples that name the label, over the samples whose calls all came back. One asked in both orders is
  right where both are; one that is unreadable or truncated is wrong.
- **Consistency** is the proportion of samples asked in both orders whose outcomes are decided and equal, over those whose calls both came
  back. Two ties agree; an order that cannot be read agrees with nothing.
- **Outcome rates** are shares of all judgements, failed ones included, and add up to 1; one that was skipped counts as failed.
- **Mean tokens** are taken over the judgements that came back with tokens.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from adjudge.api.kinds import RewardRule
from adjudge.api.values import Interval, Json, Outcome, Problem, ReasoningPath
from adjudge.errors import PluginError, boundary, number_or_none
from adjudge.judging.paths import SKIPPED

Metrics = dict[str, Json]
Z = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""
NAMES = frozenset({"n", "judgements", "accuracy", "interval", "outcomes", "mean_tokens", "consistency", "skipped"})
"""Names in an evaluation that no measure may have."""


def wilson(right: float, n: int) -> Interval:
    """Wilson's 95% interval for a proportion (Newcombe 1998, method 3); `right` may be a sum of credits in [0, 1]."""
    if n == 0:
        return (0.0, 1.0)
    p = right / n
    denominator = 2 * (n + Z**2)
    center, delta = (2 * n * p + Z**2) / denominator, Z / denominator * math.sqrt(4 * n * p * (1 - p) + Z**2)
    return (0.0 if right == 0 else center - delta, 1.0 if right == n else center + delta)


def came_back(outcomes: Iterable[Outcome]) -> bool:
    """Whether no call failed, so that these judgements of one sample say something."""
    return Outcome.FAILED not in outcomes


def agree(outcomes: Sequence[Outcome]) -> bool:
    """Whether judgements of one sample in several orders are decided and equal."""
    return len(set(outcomes)) == 1 and outcomes[0].decided


def consistency(samples: Iterable[Sequence[Outcome]]) -> float | None:
    """The proportion of samples asked in both orders that agree; None where there are none."""
    pairs = [outcomes for outcomes in samples if len(outcomes) == 2 and came_back(outcomes)]
    return sum(map(agree, pairs)) / len(pairs) if pairs else None


def outcome_rates(outcomes: Iterable[Outcome] | Counter[Outcome]) -> dict[str, float]:
    """The share of every outcome; from all of them, or from how often each came."""
    counts = Counter(outcomes)
    return {outcome.value: counts[outcome] / max(1, counts.total()) for outcome in Outcome}


def mean_tokens(counts: Iterable[int]) -> float | None:
    """Mean tokens of the judgements that came back, from the tokens of each; None where the engine returned texts without tokens."""
    known = list(counts)
    return sum(known) / len(known) if any(known) else None


class Summary:
    """Accuracy, rates and means of samples that are added one by one, and not kept."""

    def __init__(self) -> None:
        self.right = self.labelled = self.skipped = 0
        self.pairs = self.agreeing = 0
        """Samples asked in both orders whose calls both came back, and those of them that agree."""
        self.outcomes = Counter[Outcome]()
        self.tokens = 0

    def add(self, problem: Problem, sample: Sequence[ReasoningPath]) -> None:
        """Count one sample of a problem, in one order or both."""
        outcomes = [path.outcome for path in sample]
        self.outcomes.update(outcomes)
        self.tokens += sum(one.verdict.told.get("tokens", len(one.completion.token_ids)) for one in sample if one.outcome != Outcome.FAILED)
        self.skipped += sum(path.completion.error == SKIPPED for path in sample)
        if not came_back(outcomes):
            return
        if problem.label is not None:
            self.labelled += 1
            self.right += all(path.right(problem) for path in sample)
        if len(sample) == 2:
            self.pairs += 1
            self.agreeing += agree(outcomes)

    def metrics(self) -> Metrics:
        """Accuracy with its interval, outcome rates, and mean tokens."""
        judgements = self.outcomes.total()
        returned = judgements - self.outcomes[Outcome.FAILED]
        metrics: Metrics = {
            "n": self.labelled,
            "judgements": judgements,
            "accuracy": self.right / self.labelled if self.labelled else None,
            "interval": wilson(self.right, self.labelled),
            "outcomes": outcome_rates(self.outcomes),
            "mean_tokens": self.tokens / returned if self.tokens else None,
        }
        if self.skipped:
            metrics["skipped"] = self.skipped
        if self.pairs:
            metrics["consistency"] = self.agreeing / self.pairs
        return metrics


def summarise(problems: Sequence[Problem], paths: Sequence[ReasoningPath], measures: Sequence[RewardRule] = ()) -> Metrics:
    """Accuracy with its interval, outcome rates, mean tokens, and every measure's mean where it applies; lists may be in any order."""
    by_id = {problem.id: problem for problem in problems}
    summary, sampled = Summary(), attrgetter("problem_id", "index")
    for (problem_id, _), sample in groupby(sorted(paths, key=sampled) if isinstance(paths, list) else paths, key=sampled):
        summary.add(by_id[problem_id], list(sample))
    metrics = summary.metrics()
    for rule in measures:
        check_measure(rule)
        metrics[rule.use] = mean_reward(rule, by_id, paths)
    return metrics


def check_measure(rule: RewardRule) -> None:
    """Raise `PluginError` for a rule that cannot be a measure, for it is called like a metric."""
    if rule.use in NAMES:
        raise PluginError(
            f"the reward rule {rule.use!r} ({type(rule).__module__}.{type(rule).__qualname__}) cannot be a measure: every evaluation has a"
            f" metric of that name.\n  Remedy: leave it out of evaluation.measures, or give the rule another name."
        )


def mean_reward(rule: RewardRule, problems: Mapping[str, Problem], paths: Iterable[ReasoningPath]) -> float | None:
    """Mean of a rule over the paths that it applies to; None when it applies to none."""
    with boundary(rule, "reward"):
        rewards = (number_or_none(rule, "reward", rule.reward(problems[path.problem_id], path)) for path in paths)
        values = [reward for reward in rewards if reward is not None]
    return sum(values) / len(values) if values else None
