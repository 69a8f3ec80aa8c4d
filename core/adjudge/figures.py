"""Numbers with what they rest on: how many items, which groups, and a 95% interval, Wilson's for shares and a bootstrap's for the rest."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .judging import wilson
from .records import Interval

Item = TypeVar("Item")
RESAMPLES = 999
"""Bootstrap resamples; the seed is fixed, so the same items have the same interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark."""

    name: str
    value: float | None
    """None when there is no item to rest on."""
    n: int
    """How many items it rests on."""
    interval: Interval | None
    """95%; None where fewer than two items, or a statistic that most resamples leave undefined, allow none."""
    groups: tuple[str, ...] = ()
    """Groups of the benchmark whose items it rests on; it is official when all of these are complete. None named = all groups."""


def share(name: str, credits: Sequence[float], groups: Sequence[str] = ()) -> Figure:
    """The mean of credits in [0, 1]: Wilson's interval where each is 0 or 1, a bootstrap's where some lie between."""
    if any(credit not in (0, 1) for credit in credits):
        return weighted(name, {"": credits}, {"": 1.0}, groups)
    right = int(sum(credits))
    interval = wilson(right, len(credits)) if credits else None
    return Figure(name, right / len(credits) if credits else None, len(credits), interval, tuple(groups))


def weighted(name: str, strata: Mapping[str, Sequence[float]], weights: Mapping[str, float], groups: Sequence[str] | None = None) -> Figure:
    """The weighted mean of the strata's means, with a bootstrap that resamples inside every stratum.

    A stratum without items is left out with its weight. A stratum of equal values counts as certain: resampling finds no spread in it.
    """
    present = [stratum for stratum in weights if strata.get(stratum)]
    total = sum(weights[stratum] for stratum in present)
    named = tuple(weights if groups is None else groups)
    size = sum(len(strata[stratum]) for stratum in present)
    if not present:
        return Figure(name, None, 0, None, named)
    parts = [weights[stratum] / total for stratum in present]
    value = sum(part * sum(strata[stratum]) / len(strata[stratum]) for part, stratum in zip(parts, present, strict=True))
    return Figure(name, value, size, _mean_interval([strata[stratum] for stratum in present], parts), named)


def _mean_interval(strata: Sequence[Sequence[float]], parts: Sequence[float]) -> Interval | None:
    """Vectorised, because there may be tens of thousands of items; a stratum of one item is a constant."""
    fixed = sum(part * values[0] for part, values in zip(parts, strata, strict=True) if len(values) == 1)
    many = [(part, values) for part, values in zip(parts, strata, strict=True) if len(values) > 1]

    def mean(*samples: Any, axis: int) -> Any:
        return fixed + sum(part * sample.mean(axis=axis) for (part, _), sample in zip(many, samples, strict=True))

    return _bootstrap([values for _, values in many], mean, vectorized=True)


def resampled(name: str, items: Sequence[Item], statistic: Callable[[Sequence[Item]], float | None], groups: Sequence[str] = ()) -> Figure:
    """Any statistic of a list of items, with a bootstrap; None or nan where it is undefined."""
    return stratified(name, {"": items}, lambda strata: statistic(strata[""]), groups)


def stratified(
    name: str,
    strata: Mapping[str, Sequence[Item]],
    statistic: Callable[[Mapping[str, Sequence[Item]]], float | None],
    groups: Sequence[str] = (),
) -> Figure:
    """Any statistic of items in strata, with a bootstrap that resamples inside every stratum; None or nan where it is undefined."""
    size = sum(map(len, strata.values()))
    value = _finite(statistic(strata)) if size else None
    many = [stratum for stratum, items in strata.items() if len(items) > 1]

    def of(*chosen: Any) -> float:
        drawn = {key: [strata[key][index] for index in indices] for key, indices in zip(many, chosen, strict=True)}
        found = statistic({**strata, **drawn})
        return math.nan if found is None else found

    interval = None if value is None else _bootstrap([range(len(strata[key])) for key in many], of, vectorized=False)
    return Figure(name, value, size, interval, tuple(groups))


def _bootstrap(samples: Sequence[Sequence[Any]], statistic: Callable[..., Any], *, vectorized: bool) -> Interval | None:
    from scipy.stats import bootstrap

    if not samples:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # resamples in which a statistic is undefined; told by an interval of None
        options = {"n_resamples": RESAMPLES, "batch": 50, "method": "percentile", "random_state": 0}
        found = bootstrap(tuple(samples), statistic, vectorized=vectorized, paired=False, **options)
    low, high = _finite(found.confidence_interval.low), _finite(found.confidence_interval.high)
    return None if low is None or high is None else (low, high)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
