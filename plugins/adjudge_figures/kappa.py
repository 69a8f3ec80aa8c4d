"""Cohen's κ of a judge with the truth: how far both agree beyond what their habits would make them agree by chance.

κ = (agreement − chance) / (1 − chance), where chance is Σ share of truths that say c × share of verdicts that say c (Cohen 1960). Here

- a category is what is said of the answers *as they were shown*: first, second, and a tie where the truth may be one;
- a verdict that ties, that cannot be read, or that another order contradicts is a category of its own, which no label ever has: it
  agrees with nothing, as it is wrong in every accuracy, and it is in no chance agreement either;
- agreement is therefore the accuracy that stands beside it, over the same items; a call that failed is in neither;
- where the right answer always stands in one place, a judge that has read nothing agrees as well as one that has, so κ is None.

The interval is a percentile bootstrap over items, so that judgements of one item do not pass for many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from adjudge import Interval, Outcome, Problem, ReasoningPath, wilson

Unit: TypeAlias = tuple[tuple[str, str, float], ...]
"""What one item adds to the table of truths and verdicts: (what is right, what was said, weight); the weights add up to 1."""
Figure: TypeAlias = dict[str, Any]
"""``value``, ``n`` and ``interval``."""
SPLIT = "split"
"""The verdict of two orders that contradict each other."""
RESAMPLES, BATCH = 999, 50


def unit(truth: Outcome, said: Sequence[Outcome], shown_swapped: Sequence[bool] | None = None) -> Unit:
    """One sample, from what was said in each order it was asked in, truth and verdicts in the item's own order.

    `shown_swapped` says of each whether the answers were shown swapped: of one the first, of two the second where nothing is said.
    """
    swapped = shown_swapped or [index == 1 for index in range(len(said))]
    agreed = len(set(said)) == 1
    return tuple(
        ((truth.mirrored if turned else truth).value, (one.mirrored if turned else one).value if agreed else SPLIT, 1 / len(said))
        for one, turned in zip(said, swapped, strict=True)
    )


def sample_unit(problem: Problem, sample: Sequence[ReasoningPath]) -> Unit | None:
    """One sample of a labelled problem; None without a label, and where a call failed."""
    if problem.label is None or any(path.outcome == Outcome.FAILED for path in sample):
        return None
    truth = (Outcome.FIRST, Outcome.SECOND)[problem.label]
    return unit(truth, [path.outcome for path in sample], [path.order == "swapped" for path in sample])


def turned(said: str) -> str:
    """A verdict, or a truth, seen from the other side: what it is where the answers are shown swapped."""
    return {"first": "second", "second": "first"}.get(said, said)


def joined(units: Iterable[Unit]) -> list[Unit]:
    """Several samples as the one item that they are about, each with the same weight; none where there are none."""
    parts = list(units)
    weights: dict[tuple[str, str], float] = {}
    for truth, said, weight in (cell for part in parts for cell in part):
        weights[truth, said] = weights.get((truth, said), 0.0) + weight / len(parts)
    return [tuple((truth, said, weights[truth, said]) for truth, said in sorted(weights))] if parts else []


def judged_unit(problem: Problem, paths: Sequence[ReasoningPath]) -> list[Unit]:
    """All judgements of a problem that came back, each by itself, as one item; none where there is none, or no label."""
    return joined(one for path in paths if (one := sample_unit(problem, [path])))


class Agreements:
    """Counts samples one by one, and keeps none of them."""

    def __init__(self) -> None:
        self.units = Counter[Unit]()

    def add(self, problem: Problem, sample: Sequence[ReasoningPath]) -> None:
        """Count one sample of a problem, in one order or both."""
        if found := sample_unit(problem, sample):
            self.units[found] += 1

    def kappa(self) -> Figure:
        return cohen_kappa(self.units)


def cohen_kappa(units: Mapping[Unit, int] | Iterable[Unit]) -> Figure:
    """κ with its 95% interval over these items; None where it is not defined, and an interval of None below two items."""
    import numpy as np

    counted = Counter(units) if not isinstance(units, Mapping) else units
    n = sum(counted.values())
    if not n:
        return {"value": None, "n": 0, "interval": None}
    cells = sorted({(truth, said) for one in counted for truth, said, _ in one})
    # U distinct items, C cells of the table of truths and verdicts.
    weight_UC = np.zeros((len(counted), len(cells)))
    for row, one in enumerate(counted):
        for truth, said, weight in one:
            weight_UC[row, cells.index((truth, said))] += weight
    count_U = np.array(list(counted.values()))
    value = float(_kappa(count_U @ weight_UC, cells))
    found = value if np.isfinite(value) else None
    return {"value": found, "n": n, "interval": None if found is None or n < 2 else _interval(count_U, weight_UC, cells, found)}


def _parts(table: Any, cells: Sequence[tuple[str, str]]) -> tuple[Any, Any]:
    """Agreement and chance agreement of tables of weights, whose last dimension is that of `cells`; nan where κ is not defined."""
    import numpy as np

    share = table / table.sum(axis=-1, keepdims=True)
    names = sorted({name for cell in cells for name in cell})
    truths = {name: share[..., [truth == name for truth, _ in cells]].sum(axis=-1) for name in names}
    said = {name: share[..., [one == name for _, one in cells]].sum(axis=-1) for name in names}
    agreement = share[..., [truth == one for truth, one in cells]].sum(axis=-1)
    one_sided = np.max([truths[name] for name in names], axis=0) > 1 - 1e-12
    return agreement, np.where(one_sided, np.nan, sum(truths[name] * said[name] for name in names))


def _kappa(table: Any, cells: Sequence[tuple[str, str]]) -> Any:
    agreement, chance = _parts(table, cells)
    return (agreement - chance) / (1 - chance)


def _interval(count_U: Any, weight_UC: Any, cells: Sequence[tuple[str, str]], value: float) -> Interval | None:
    """The bootstrap's; where all resamples agree, as for a judge that is always right, what Wilson leaves open of the agreement."""
    import numpy as np

    rng, n, drawn = np.random.default_rng(0), int(count_U.sum()), []
    for start in range(0, RESAMPLES, BATCH):
        counts = rng.multinomial(n, count_U / n, size=min(BATCH, RESAMPLES - start))
        drawn.append(_kappa(counts @ weight_UC, cells))
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    if len(found) <= RESAMPLES / 2:
        return None
    low, high = (float(end) for end in np.quantile(found, (0.025, 0.975)))
    if high - low < 1e-9:
        agreement, chance = map(float, _parts(count_U @ weight_UC, cells))
        low, high = ((end - chance) / (1 - chance) for end in wilson(agreement * n, n))
    return (min(low, value), max(high, value))


def told_kappa(figure: Mapping[str, Any]) -> str:
    """κ in words, for a line under a table: size, interval, and what chance alone would reach."""
    if not figure["n"]:
        return "Cohen's κ: none, for want of labels"
    if figure["value"] is None:
        return "Cohen's κ: not defined, as the right answer was always shown in the same place (order: both shows it in either)"
    interval = "" if figure["interval"] is None else f" (95% {figure['interval'][0]:.2f} to {figure['interval'][1]:.2f})"
    return f"Cohen's κ {figure['value']:.2f}{interval}: 0 is a judge that agrees by chance alone, 1 one that always does"
