"""Skills on the Elo scale, with 95% intervals, from whatever matches were played: Bradley-Terry under a stated or an unknown prior."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from adjudge import Interval, Match, Outcome

Array: TypeAlias = Any
"""A numpy array of 64-bit numbers; its name ends in its shape."""

# Shapes: N candidates, S spreads, M matches.

Z = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""
SPREADS = tuple(10 ** (step / 4.5 - 1) for step in range(10))
"""Standard deviations of skills, 0.1 to 10 nats, among which results decide when no prior is given."""
OPEN = tuple(1 / (2 * spread**2) for spread in SPREADS)
"""Weights of the penalty that these spreads come to."""
Result: TypeAlias = tuple[Match, Outcome]
"""A match and how it ended: first, second or tie."""
_POINTS = {Outcome.FIRST: 1.0, Outcome.TIE: 0.5}


@dataclass(frozen=True, slots=True)
class Ratings:
    """What results say about every candidate, in candidate order."""

    MEAN: ClassVar[float] = 1000.0
    """The mean of all candidates' ratings."""
    SCALE: ClassVar[float] = 400 / math.log(10)
    """Elo points per nat of log-odds: 400 points are odds of ten to one."""

    values: tuple[float, ...]
    """Elo points; mean 1000."""
    intervals: tuple[Interval, ...]
    """95% intervals in Elo points, relative to the mean of all candidates."""
    covariance: tuple[tuple[float, ...], ...]
    """Covariance of the ratings' errors, N x N, in squared Elo points; every row adds up to 0, as the mean is fixed."""


def bradley_terry(size: int, results: Sequence[Result] | Array, *, prior: float | None = 0.01) -> Ratings:
    """Skills of `size` candidates, given all results at once, and how far they are settled.

    `results` are matches with their outcomes; for millions of them a numpy array is read faster, a row for each of (first, second, points
    of the first), which are 1, 0, or 0.5 for a draw; or any share between, as a `SoftOutcome` has it.

    The odds that one candidate beats another are exp(difference of their skills in nats); a draw is half a win each way. `prior`,
    above 0 and counted as 1e-9 below that, is the weight of the penalty prior x sum(skill^2), which keeps undefeated and unconnected
    candidates finite: values are then the most probable skills, and intervals normal ones from the curvature there (Fisher
    information and prior), narrowed by what draws vary less than wins and losses (a sandwich with one dispersion for all matches).

    Such intervals hold what they promise when the pairs were fixed beforehand, and too little when earlier results chose them.
    With ``prior=None`` the spread of skills is unknown, any from 0 to 10 nats being as likely as another, and values and intervals
    are means and quantiles over all spreads, each weighted by how well it explains the results: safe whoever chose the pairs.

    Values are rounded to a thousandth of a point, far above the optimiser's error, so that equal records give equal ratings.
    Raises `ValueError` for an outcome that is a failure of the judge."""

    if size == 0:
        return Ratings((), (), ())
    wins_NN, ties = _wins(size, results)
    priors = [*OPEN] if prior is None else [max(prior, 1e-9)]
    if prior is None:  # matches that vary less by their draws say more, about the spread of skills too
        wins_NN, ties = wins_NN / _fit(wins_NN, 0.01, ties).dispersion, 0
    return averaged(priors, [_fit(wins_NN, one, ties) for one in priors])


def averaged(priors: Sequence[float], fits: Sequence["Fit"]) -> Ratings:
    """One fit as ratings; of several, each under its own prior, means and quantiles, weighted by how well each explains the results."""
    import numpy as np

    # Spreads stand for ranges that grow with them, so equal chances per nat weigh by the spread.
    log_S = np.array([fit.log_evidence for fit in fits]) - np.log(priors) / 2
    weight_S = np.exp(log_S - log_S.max()) / np.exp(log_S - log_S.max()).sum()
    skill_SN, covariance_SNN = np.array([fit.skill_N for fit in fits]), np.array([fit.covariance_NN for fit in fits])
    mean_N = weight_S @ skill_SN
    apart_SN = skill_SN - mean_N
    covariance_NN = np.tensordot(weight_S, covariance_SNN + apart_SN[:, :, None] * apart_SN[:, None, :], 1)
    error_SN = np.sqrt(np.maximum(0, covariance_SNN.diagonal(axis1=1, axis2=2)))
    low_N, high_N = (Ratings.MEAN + Ratings.SCALE * _quantile(point, weight_S, skill_SN, error_SN) for point in (-Z, Z))
    return Ratings(
        tuple(round(Ratings.MEAN + Ratings.SCALE * float(skill), 3) for skill in mean_N),
        tuple(zip(low_N.tolist(), high_N.tolist(), strict=True)),
        tuple(map(tuple, (Ratings.SCALE**2 * covariance_NN).tolist())),
    )


class Fit(NamedTuple):
    """The normal approximation of what is known about skills under one prior."""

    skill_N: Array
    covariance_NN: Array
    log_evidence: float
    """Log-probability of the results under this prior, up to a constant."""
    dispersion: float
    """Variance of the results as a share of what it would be without draws."""


def _wins(size: int, results: Sequence[Result] | Array) -> tuple[Array, float]:
    """How often each row's candidate beat each column's, N x N, and how many draws there are, a share between being a part of one."""
    import numpy as np

    if hasattr(results, "shape"):
        first_M, second_M, points_M = np.asarray(results, float).reshape(-1, 3).T
        if not ((points_M >= 0) & (points_M <= 1)).all():
            raise ValueError("the third column of results is the points of the first candidate: 1, 0 or 0.5 for a draw, or a share")
    else:
        first_M = np.fromiter((match.first for match, _ in results), int, len(results))
        second_M = np.fromiter((match.second for match, _ in results), int, len(results))
        points_M = np.fromiter((_POINTS.get(outcome) or outcome.points for _, outcome in results), float, len(results))
    pairs_M = first_M.astype(int) * size + second_M.astype(int)
    won_NN, lost_NN = (np.bincount(pairs_M, share_M, size * size).reshape(size, size) for share_M in (points_M, 1 - points_M))
    return won_NN + lost_NN.T, float((4 * points_M * (1 - points_M)).sum())


def _fit(wins_NN: Array, prior: float, ties: float = 0) -> Fit:
    """Newton's method. Steps are at most 2 nats, beyond which the curvature says nothing; the loss being convex, they arrive."""
    import numpy as np

    size, met_NN = len(wins_NN), wins_NN + wins_NN.T
    skill_N = np.zeros(size)
    for _ in range(1000):
        slope_N, hessian_NN = _derivatives(skill_N, wins_NN, met_NN, prior)
        if np.abs(slope_N).max() < 1e-11 * (1 + met_NN.max()):
            break
        step_N = np.linalg.solve(hessian_NN + 1 / size, slope_N)
        skill_N = skill_N - step_N * min(1, 2 / np.abs(step_N).max())
    surprise = (wins_NN * np.logaddexp(0, skill_N[None, :] - skill_N[:, None])).sum() + prior * (skill_N @ skill_N)
    evidence = size / 2 * math.log(2 * prior) - float(surprise) - float(np.linalg.slogdet(hessian_NN)[1]) / 2
    # The mean is fixed by definition, so it is no uncertainty of any rating: the inverse is that beside the mean.
    inverse_NN = np.linalg.inv(hessian_NN + 1 / size) - 1 / (size * (1 + 2 * prior))
    # A draw takes a quarter from its match's variance. One decided match more counts along, as not all need be draws where all were.
    matches, variance = met_NN.sum() / 2, (hessian_NN.trace() - 2 * prior * size) / 2
    dispersion = (matches * (1 - ties / max(ties, 4 * variance)) + 1) / (matches + 1) if ties else 1.0
    covariance_NN = dispersion * inverse_NN + (1 - dispersion) * 2 * prior * inverse_NN @ inverse_NN
    return Fit(skill_N, covariance_NN, evidence, dispersion)


def _derivatives(skill_N: Array, wins_NN: Array, met_NN: Array, prior: float) -> tuple[Array, Array]:
    """First and second derivatives of minus the log-probability of the results under the penalty: N and N x N."""
    import numpy as np

    chance_NN = 1 / (1 + np.exp(np.clip(skill_N[None, :] - skill_N[:, None], -700, 700)))
    information_NN = met_NN * chance_NN * chance_NN.T
    slope_N: Array = (met_NN * chance_NN - wins_NN).sum(axis=1) + 2 * prior * skill_N
    return slope_N, np.diag(information_NN.sum(axis=1) + 2 * prior) - information_NN


def _quantile(point: float, weight_S: Array, mean_SN: Array, error_SN: Array) -> Array:
    """Where each candidate's mixture of normal distributions has as much mass below as each of them has below this point."""
    import numpy as np

    erfc, error_SN = np.frompyfunc(math.erfc, 1, 1), np.maximum(error_SN, 1e-9)
    low_N, high_N = (mean_SN + point * error_SN).min(axis=0), (mean_SN + point * error_SN).max(axis=0)
    for _ in range(50 if len(weight_S) > 1 else 0):  # by bisection, between the ends of its parts
        middle_N = (low_N + high_N) / 2
        below_N = weight_S @ erfc((mean_SN - middle_N) / (error_SN * math.sqrt(2))) < math.erfc(-point / math.sqrt(2))
        low_N, high_N = np.where(below_N, middle_N, low_N), np.where(below_N, high_N, middle_N)
    return (low_N + high_N) / 2
