"""Skills on the Elo scale, with 95% intervals, from whatever matches were played: Bradley-Terry under a stated or an unknown prior."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from adjudge.api.values import Interval, Match, Outcome

Array: TypeAlias = Any
"""A numpy array of 64-bit numbers; its name ends in its shape."""

# Shapes: N candidates, S spreads.

MEAN = 1000.0
"""The mean of all candidates' ratings."""
SCALE = 400 / math.log(10)
"""Elo points per nat of log-odds: 400 points are odds of ten to one."""
SPREADS = tuple(10 ** (step / 4.5 - 1) for step in range(10))
"""Standard deviations of skills, 0.1 to 10 nats, among which results decide when no prior is given."""

Result: TypeAlias = tuple[Match, Outcome]
"""A match and how it ended: first, second or tie."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """What results say about every candidate, in candidate order."""

    values: tuple[float, ...]
    """Elo points; mean 1000."""
    intervals: tuple[Interval, ...]
    """95% intervals in Elo points, relative to the mean of all candidates."""
    covariance: tuple[tuple[float, ...], ...]
    """Covariance of the ratings' errors, N x N, in squared Elo points; every row adds up to 0, as the mean is fixed."""


def bradley_terry(size: int, results: Sequence[Result], *, prior: float | None = 0.01) -> Ratings:
    """Skills of `size` candidates, given all results at once, and how far they are settled.

    The odds that one candidate beats another are exp(difference of their skills in nats); a draw is half a win each way. `prior`,
    above 0, is the weight of the penalty prior x sum(skill^2), which keeps undefeated and unconnected candidates finite: values are
    then the most probable skills, and intervals normal ones from the curvature there (Fisher information and prior).

    Such intervals hold what they promise when the pairs were fixed beforehand, and too little when earlier results chose them.
    With ``prior=None`` the spread of skills is unknown, any from 0 to 10 nats being as likely as another, and values and intervals
    are means and quantiles over all spreads, each weighted by how well it explains the results: safe whoever chose the pairs.

    Values are rounded to a thousandth of a point, far above the optimiser's error, so that equal records give equal ratings.
    Raises `ValueError` for an outcome that is a failure of the judge."""
    import numpy as np

    if size == 0:
        return Ratings((), (), ())
    wins_NN = _wins(size, results)
    fits = [_fit(wins_NN, prior)] if prior is not None else [_fit(wins_NN, 1 / (2 * spread**2)) for spread in SPREADS]
    weight_S = _weights([fit.log_evidence for fit in fits]) if prior is None else np.ones(1)
    skill_SN = np.array([fit.skill_N for fit in fits])
    covariance_SNN = np.array([fit.covariance_NN for fit in fits])
    mean_N = weight_S @ skill_SN
    apart_SN = skill_SN - mean_N
    covariance_NN = np.tensordot(weight_S, covariance_SNN + apart_SN[:, :, None] * apart_SN[:, None, :], 1)
    error_SN = np.sqrt(np.maximum(0, covariance_SNN.diagonal(axis1=1, axis2=2)))
    low_N, high_N = (MEAN + SCALE * _quantile(share, weight_S, skill_SN, error_SN) for share in (0.025, 0.975))
    return Ratings(
        tuple(round(MEAN + SCALE * float(skill), 3) for skill in mean_N),
        tuple(zip(low_N.tolist(), high_N.tolist(), strict=True)),
        tuple(map(tuple, (SCALE**2 * covariance_NN).tolist())),
    )


class _Fit(NamedTuple):
    """The normal approximation of what is known about skills under one prior."""

    skill_N: Array
    covariance_NN: Array
    log_evidence: float
    """Log-probability of the results under this prior, up to a constant."""


def _wins(size: int, results: Sequence[Result]) -> Array:
    """How often each row's candidate beat each column's, N x N."""
    import numpy as np

    wins_NN = np.zeros((size, size))
    for match, outcome in results:
        wins_NN[match.first, match.second] += outcome.points
        wins_NN[match.second, match.first] += 1 - outcome.points
    return wins_NN


def _fit(wins_NN: Array, prior: float) -> _Fit:
    """Newton's method. Steps are at most 2 nats, beyond which the curvature says nothing; the loss being convex, they arrive."""
    import numpy as np

    size, met_NN = len(wins_NN), wins_NN + wins_NN.T
    skill_N = np.zeros(size)
    for _ in range(1000):
        slope_N, hessian_NN = _derivatives(skill_N, wins_NN, met_NN, prior)
        if np.abs(slope_N).max() < 1e-11 * (1 + met_NN.max()):
            break
        step_N = np.linalg.solve(hessian_NN, slope_N)
        skill_N = skill_N - step_N * min(1, 2 / np.abs(step_N).max())
    surprise = (wins_NN * np.logaddexp(0, skill_N[None, :] - skill_N[:, None])).sum() + prior * (skill_N @ skill_N)
    evidence = size / 2 * math.log(2 * prior) - float(surprise) - float(np.linalg.slogdet(hessian_NN)[1]) / 2
    # The mean is fixed by definition, so what the prior alone knows about it is no uncertainty of any rating.
    return _Fit(skill_N, np.linalg.inv(hessian_NN) - 1 / (2 * prior * size), evidence)


def _derivatives(skill_N: Array, wins_NN: Array, met_NN: Array, prior: float) -> tuple[Array, Array]:
    """First and second derivatives of minus the log-probability of the results under the penalty: N and N x N."""
    import numpy as np

    chance_NN = 1 / (1 + np.exp(np.clip(skill_N[None, :] - skill_N[:, None], -700, 700)))
    information_NN = met_NN * chance_NN * chance_NN.T
    slope_N: Array = (met_NN * chance_NN - wins_NN).sum(axis=1) + 2 * prior * skill_N
    return slope_N, np.diag(information_NN.sum(axis=1) + 2 * prior) - information_NN


def _weights(log_evidence: Sequence[float]) -> Array:
    """Posterior weight of every spread. Spreads stand for ranges that grow with them, so equal chances per nat weigh by the spread."""
    import numpy as np

    log_S = np.array(log_evidence) + np.log(SPREADS)
    weight_S: Array = np.exp(log_S - log_S.max())
    return weight_S / weight_S.sum()


def _quantile(share: float, weight_S: Array, mean_SN: Array, error_SN: Array) -> Array:
    """Where each candidate's mixture of normal distributions has this share of its mass below, by bisection."""
    import numpy as np

    error_SN = np.maximum(error_SN, 1e-9)
    low_N, high_N = (mean_SN - 9 * error_SN).min(axis=0), (mean_SN + 9 * error_SN).max(axis=0)
    for _ in range(50):
        middle_N = (low_N + high_N) / 2
        below_N = weight_S @ _normal((middle_N - mean_SN) / error_SN) < share
        low_N, high_N = np.where(below_N, middle_N, low_N), np.where(below_N, high_N, middle_N)
    quantile_N: Array = (low_N + high_N) / 2
    return quantile_N


def _normal(points_SN: Array) -> Array:
    """Mass of the standard normal distribution below every point."""
    import numpy as np

    erfc = np.frompyfunc(math.erfc, 1, 1)
    return erfc(-points_SN / math.sqrt(2)).astype(float) / 2
