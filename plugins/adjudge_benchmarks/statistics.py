"""Metrics with what they rest on: items, groups, and a 95% interval, Wilson's for proportions and a bootstrap's for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adjudge import Interval, wilson

Item = TypeVar("Item")
RESAMPLES, BATCH = 999, 50
"""Bootstrap resamples, and how many are drawn at a time; the seed is fixed, so the same items have the same interval."""
TAIL = (1 - 0.95) / 2
"""The share of resamples on either side of a 95% interval."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a benchmark."""

    name: str
    value: float | None
    """None when there is no item to rest on."""
    n: int
    """How many items it rests on."""
    interval: Interval | None
    """95%, never of width 0; None where fewer than two items, or a statistic that most resamples leave undefined, allow none."""
    groups: tuple[str, ...] = ()
    """Groups of the benchmark whose items it rests on; it is official when all of these are complete. None named = all groups."""


def proportion(name: str, credits: Sequence[float], groups: Sequence[str] = ()) -> Metric:
    """The mean of credits in [0, 1]: Wilson's interval where each is 0 or 1, a bootstrap's where some lie between."""
    if any(credit not in (0, 1) for credit in credits):
        return weighted_mean(name, {"": credits}, {"": 1.0}, groups)
    right = int(sum(credits))
    interval = wilson(right, len(credits)) if credits else None
    return Metric(name, right / len(credits) if credits else None, len(credits), interval, tuple(groups))


def weighted_mean(
    name: str, strata: Mapping[str, Sequence[float]], weights: Mapping[str, float], groups: Sequence[str] | None = None,
    *, bounds: Mapping[str, Interval] | None = None,
) -> Metric:  # fmt: skip
    """The weighted mean of the strata's means, with a bootstrap that resamples inside every stratum.

    A stratum without items is left out with its weight. In one of equal values resampling finds no spread, so Wilson's interval stands
    for it, between `bounds`: the least and the most that a value of the stratum can be, 0 and 1 where nothing is said.
    """
    present = [stratum for stratum in weights if strata.get(stratum)]
    total = sum(weights[stratum] for stratum in present)
    named = tuple(weights if groups is None else groups)
    size = sum(len(strata[stratum]) for stratum in present)
    if not present:
        return Metric(name, None, 0, None, named)
    parts = [weights[stratum] / total for stratum in present]
    value = sum(part * sum(strata[stratum]) / len(strata[stratum]) for part, stratum in zip(parts, present, strict=True))
    limits = [(bounds or {}).get(stratum, (0.0, 1.0)) for stratum in present]
    interval = _mean_interval([strata[stratum] for stratum in present], parts, limits) if size > 1 else None
    return Metric(name, value, size, interval, named)


def _mean_interval(strata: Sequence[Sequence[float]], parts: Sequence[float], bounds: Sequence[Interval]) -> Interval | None:
    """Vectorised, because there may be tens of thousands of items.

    Strata of equal values, one item among them, are certain to the bootstrap. What Wilson leaves open of them is added in squares, as
    independent errors are (MOVER: Zou and Donner 2008)."""
    equal = [(part, values, limits) for part, values, limits in zip(parts, strata, bounds, strict=True) if len(set(values)) == 1]
    spread = [(part, values) for part, values in zip(parts, strata, strict=True) if len(set(values)) > 1]
    fixed = sum(part * values[0] for part, values, _ in equal)

    def mean(*samples: Any, axis: int) -> Any:
        return fixed + sum(part * sample.mean(axis=axis) for (part, _), sample in zip(spread, samples, strict=True))

    found = _bootstrap_interval([values for _, values in spread], mean) if spread else (fixed, fixed)
    if found is None or not equal:
        return found
    value = fixed + sum(part * sum(values) / len(values) for part, values in spread)
    below, above = [max(0.0, value - found[0])], [max(0.0, found[1] - value)]
    for part, values, limits in equal:
        if (known := _of_equal(values[0], len(values), limits)) is None:
            return None
        below, above = [*below, part * (values[0] - known[0])], [*above, part * (known[1] - values[0])]
    return (value - math.hypot(*below), value + math.hypot(*above))


def _of_equal(value: float, n: int, bounds: Interval) -> Interval | None:
    """Of n equal values between these bounds: Wilson's interval, which is that of values as far apart as their mean allows."""
    low, high = bounds
    if not low <= value <= high:
        return None
    ends = wilson(n * (value - low) / (high - low), n)
    return (min(value, low + (high - low) * ends[0]), max(value, low + (high - low) * ends[1]))


def bootstrap(
    name: str, items: Sequence[Item], statistic: Callable[[Sequence[Item]], float | None], groups: Sequence[str] = (),
    *, bounds: Interval = (0.0, 1.0),
) -> Metric:  # fmt: skip
    """Any statistic of a list of items, with a bootstrap; None or nan where it is undefined. It lies between `bounds`."""
    return stratified_bootstrap(name, {"": items}, lambda strata: statistic(strata[""]), groups, bounds=bounds)


def stratified_bootstrap(
    name: str,
    strata: Mapping[str, Sequence[Item]],
    statistic: Callable[[Mapping[str, Sequence[Item]]], float | None],
    groups: Sequence[str] = (),
    *,
    bounds: Interval = (0.0, 1.0),
) -> Metric:
    """Any statistic of items in strata, with a bootstrap that resamples inside every stratum; None or nan where it is undefined.

    Resamples that leave it undefined are left out. Where all others give one value, as for items that are all right, the interval is
    Wilson's for so many equal values between `bounds`, the least and the most that the statistic can be."""
    size = sum(map(len, strata.values()))
    value = _finite(statistic(strata)) if size else None
    many = [stratum for stratum, items in strata.items() if len(items) > 1]

    def of(*chosen: Any) -> float:
        drawn = {key: [strata[key][index] for index in indices] for key, indices in zip(many, chosen, strict=True)}
        found = statistic({**strata, **drawn})
        return math.nan if found is None else found

    def of_rows(*chosen: Any, axis: int) -> list[float]:
        return [of(*rows) for rows in zip(*chosen, strict=True)]

    interval = None if value is None else _bootstrap_interval([range(len(strata[key])) for key in many], of_rows)
    if value is not None and interval is not None and math.isclose(*interval, abs_tol=1e-12):
        interval = _of_equal(value, size, bounds)
    return Metric(name, value, size, interval, tuple(groups))


def _bootstrap_interval(samples: Sequence[Sequence[Any]], statistic: Callable[..., Any]) -> Interval | None:
    """The percentile bootstrap's interval of a statistic of rows of resamples, one array per sample; None where most are undefined."""
    import numpy as np

    if not samples:
        return None
    arrays, rng, found = [np.asarray(sample) for sample in samples], np.random.RandomState(0), []
    for start in range(0, RESAMPLES, BATCH):
        size = min(BATCH, RESAMPLES - start)
        drawn = [array[rng.randint(0, len(array), (size, len(array)), dtype="int64")] for array in arrays]
        found.append(np.asarray(statistic(*drawn, axis=-1), dtype=float))
    values = [float(value) for value in np.concatenate(found) if math.isfinite(value)]
    return (_quantile(values, TAIL), _quantile(values, 1 - TAIL)) if len(values) > RESAMPLES / 2 else None


def _quantile(values: Sequence[float], share: float) -> float:
    """By linear interpolation between the two nearest values, to the last digit as scipy does it."""
    ordered, place = sorted(values), share * len(values) + (1 - share)
    low, between = int(place) - 1, place % 1
    return (1 - between) * ordered[low] + between * ordered[min(low + 1, len(ordered) - 1)]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
