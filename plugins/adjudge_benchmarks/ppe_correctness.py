"""PPE, correctness: does a reward model find the verified answers among many to one prompt?

{"question_id": "m-1", "model_name": "llama-3-8b", "prompt": "…", "response_1": "…", …, "response_32": "…", "scores": [true, false, …],
 "sampled_conflict_pairs": [[0, 5], [3, 1]]}

arXiv 2410.14872; rows of the five data sets ``lmarena-ai/PPE-{MMLU-Pro,MATH,GPQA,IFEval,MBPP-Plus}-Best-of-K``, one at a time.
Accuracy over the sampled pairs of a right and a wrong answer. With a score for every answer also: the area under the ROC curve of scores
scaled to [0, 1] within each prompt and pooled; and the best-of-k curve, the truth of the best-scored of the first k answers in a random
order (of equal scores the first), averaged over prompts and orders: its end (all answers), the mean over orders of its maximum, and its
mean squared distance to an oracle's curve. Different here: the definitions follow a description and not the authors' code, which we could
not read, so no figure is called official; the orders are seeded by an option. Shapes: 2 for model and oracle, O orders, K answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Match, Outcome, Problem, RowError, stable_seed, text_field

from .judgements import Judged
from .row_benchmark import RowBenchmark
from .row_fields import ident, listed, one_of
from .statistics import Metric, bootstrap

Scored = tuple[tuple[float, ...], tuple[bool, ...]]
"""Scores of all answers to a prompt, and which of the answers are right."""


class PpeCorrectness(RowBenchmark):
    """PPE, correctness: conflict pairs, ROC, and best-of-k curves on answers with a verified truth."""

    use: Literal["ppe-correctness"] = "ppe-correctness"
    libraries: ClassVar[tuple[str, ...]] = ("scipy",)
    orders: Annotated[int, Field(gt=0)] = 100
    """Random orders that best-of-k curves are averaged over."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the random orders."""

    def sizes(self) -> Mapping[str, int | None]:
        return {"prompts": None}

    def _read(self, row: dict[str, Any], where: str) -> Iterable[Problem]:
        truth = [bool(one_of(float(one) if isinstance(one, int) else one, "score", (0.0, 1.0))) for one in listed(row, "scores")]
        answers = tuple(text_field(row, f"response_{number}") for number in range(1, len(truth) + 1))
        if f"response_{len(truth) + 1}" in row:
            raise RowError(f"has more answers than its {len(truth)} scores")
        conflicts = [_conflict(two, truth) for two in listed(row, "sampled_conflict_pairs", least=0)]
        meta = {"group": "prompts", "truth": truth, "conflicts": conflicts}
        name = f"{ident(row, 'question_id')}:{row.get('model_name', '')}"
        yield Problem(name, text_field(row, "prompt"), answers, None, meta)

    def better(self, problem: Problem, match: Match) -> Outcome | None:
        return Outcome.FIRST if problem.meta["truth"][match.first] else Outcome.SECOND

    def pairs(self, problem: Problem) -> list[Match]:
        """The sampled pairs of a right and a wrong answer, in the order of the data, which is random."""
        return list(dict.fromkeys(Match(one, other) for one, other in problem.meta["conflicts"]))

    def score(self, judged: Sequence[Judged]) -> list[Metric]:
        metrics = [bootstrap("accuracy on conflict pairs", list(map(conflicts, judged)), mean)]
        items: list[Scored] = [(one.scores, tuple(one.problem.meta["truth"])) for one in judged if one.scores is not None]
        if not items:
            return metrics
        curves = self._curves(items)
        return [
            *metrics,
            bootstrap("area under the ROC curve", items, roc_area),
            bootstrap("best-of-k, all answers", curves, end),
            bootstrap("best-of-k, maximum", curves, maximum),
            bootstrap("best-of-k, distance to the oracle", curves, loss),
        ]

    def _curves(self, items: Sequence[Scored]) -> list[Any]:
        """For every prompt an array (2, orders, answers): the model's best-of-k curves and the oracle's, as far as all prompts reach."""
        import numpy as np

        size = min(len(truth) for _, truth in items)
        found = []
        for number, (scores, truth) in enumerate(items):
            rng = random.Random(stable_seed("best of k", self.seed, number))
            orders = [rng.sample(range(len(scores)), len(scores)) for _ in range(self.orders)]
            found.append(np.array([[best_of_k(by, truth, order)[:size] for order in orders] for by in (scores, tuple(map(float, truth)))]))
        return found


def _conflict(two: Any, truth: Sequence[bool]) -> list[int]:
    """A sampled pair of places, one answer of which is right."""
    places = two if isinstance(two, list) else []
    if len(places) != 2 or not all(isinstance(one, int) and 0 <= one < len(truth) for one in places):
        raise RowError(f"has the conflict pair {two!r}, which is no pair of two of its {len(truth)} answers")
    if truth[places[0]] == truth[places[1]]:
        raise RowError("has a conflict pair of two answers of which not exactly one is right")
    return [int(one) for one in places]


def conflicts(one: Judged) -> list[float]:
    """What every conflict pair counts: 1 when the right answer wins; a tie is none."""
    truth = one.problem.meta["truth"]
    return [one.credit(*(two if truth[two[0]] else two[::-1]), tie=0.0) for two in one.problem.meta["conflicts"]]


def mean(prompts: Sequence[Sequence[float]]) -> float | None:
    """Over all pairs of all prompts."""
    values = [value for prompt in prompts for value in prompt]
    return sum(values) / len(values) if values else None


def roc_area(items: Sequence[Scored]) -> float | None:
    """Area under the pooled ROC curve of scores scaled to [0, 1] within each prompt; None when all answers are right, or all are wrong."""
    from scipy.stats import rankdata

    scaled = [value for scores, _ in items for value in minmax(scores)]
    truth = [right for _, of_prompt in items for right in of_prompt]
    right, wrong = sum(truth), len(truth) - sum(truth)
    if not right or not wrong:
        return None
    ranks = sum(float(rank) for rank, one in zip(rankdata(scaled), truth, strict=True) if one)
    return (ranks - right * (right + 1) / 2) / (right * wrong)


def minmax(scores: Sequence[float]) -> list[float]:
    """Scaled to [0, 1]; equal scores are all 0."""
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 0.0 for score in scores]


def best_of_k(scores: Sequence[float], truth: Sequence[bool], order: Sequence[int]) -> list[float]:
    """For every k, the truth of the best-scored of the first k answers in this order; of equal scores the first."""
    best, curve = order[0], []
    for candidate in order:
        best = candidate if scores[candidate] > scores[best] else best
        curve.append(float(truth[best]))
    return curve


def _averaged(curves_2OK: Sequence[Any]) -> Any:
    import numpy as np

    return np.mean(curves_2OK, axis=0)


def end(curves_2OK: Sequence[Any]) -> float:
    """The curve at all answers; the same in every order but for equal scores."""
    return float(_averaged(curves_2OK)[0, :, -1].mean())


def maximum(curves_2OK: Sequence[Any]) -> float:
    """Mean over orders of the highest point of the curve."""
    return float(_averaged(curves_2OK)[0].max(axis=-1).mean())


def loss(curves_2OK: Sequence[Any]) -> float:
    """Mean squared distance between the curve and the oracle's, which takes a right answer as soon as there is one."""
    mine_OK, best_OK = _averaged(curves_2OK)
    return float(((mine_OK - best_OK) ** 2).mean())
