"""Skills on the Elo scale, with 95% intervals, from whatever matches were played: Bradley-Terry under a stated or an unknown prior."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from adjudge import Interval, Match, Outcome

Array: TypeAlias = Any
"""A numpy array of 64-bit numbers; its name ends in its shape."""

# Shapes: N candidates, S spreads or priors, M matches.

Z = 1.959963984540054
"""Two-sided 95% point of the normal distribution."""
SPREADS = tuple(10 ** (step / 4.5 - 1) for step in range(10))
"""Standard deviations of skills, 0.1 to 10 nats, among which results decide when no prior is given."""
OPEN = tuple(1 / (2 * spread**2) for spread in SPREADS)
"""Weights of the penalty that these spreads come to."""
AT_ONCE = 100_000
"""Numbers in the N x N matrices of all priors that are fitted together, as memory allows; of many candidates it is one after the other."""
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
        wins_NN, ties = wins_NN / _fits(wins_NN, [0.01], ties)[0].dispersion, 0
    at_once = max(1, AT_ONCE // wins_NN.size)
    parts = [priors[start : start + at_once] for start in range(0, len(priors), at_once)]
    return averaged(priors, [fit for part in parts for fit in _fits(wins_NN, part, ties)])


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
    low_N, high_N = Ratings.MEAN + Ratings.SCALE * _quantiles(weight_S, skill_SN, error_SN)
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


def _fits(wins_NN: Array, priors: Sequence[float], ties: float = 0) -> list[Fit]:
    """Newton's method, for every prior at once. Steps are at most 2 nats, beyond which the curvature says nothing; the loss being convex,
    they arrive, and who has arrived stays."""
    import numpy as np

    size, met_NN, prior_S = len(wins_NN), wins_NN + wins_NN.T, np.array(priors)
    skill_SN = np.zeros((len(prior_S), size))
    for _ in range(1000):
        slope_SN, hessian_SNN = _derivatives(skill_SN, wins_NN, met_NN, prior_S)
        moves_S = np.abs(slope_SN).max(axis=1) >= 1e-11 * (1 + met_NN.max())
        if not moves_S.any():
            break
        step_SN = np.linalg.solve(hessian_SNN + 1 / size, slope_SN[:, :, None])[:, :, 0]
        share_S = moves_S * 2 / np.maximum(2, np.abs(step_SN).max(axis=1))
        skill_SN = skill_SN - step_SN * share_S[:, None]
    apart_SNN = skill_SN[:, None, :] - skill_SN[:, :, None]
    surprise_S = (wins_NN * np.logaddexp(0, apart_SNN)).sum(axis=(1, 2)) + prior_S * (skill_SN * skill_SN).sum(axis=1)
    evidence_S = size / 2 * np.log(2 * prior_S) - surprise_S - np.linalg.slogdet(hessian_SNN)[1] / 2
    # The mean is fixed by definition, so it is no uncertainty of any rating: the inverse is that beside the mean.
    inverse_SNN = np.linalg.inv(hessian_SNN + 1 / size) - 1 / (size * (1 + 2 * prior_S))[:, None, None]
    # A draw takes a quarter from its match's variance. One decided match more counts along, as not all need be draws where all were.
    matches, variance_S = met_NN.sum() / 2, (hessian_SNN.trace(axis1=1, axis2=2) - 2 * prior_S * size) / 2
    dispersion_S = (matches * (1 - ties / np.maximum(ties, 4 * variance_S)) + 1) / (matches + 1) if ties else np.ones(len(prior_S))
    part_S11, prior_S11 = dispersion_S[:, None, None], prior_S[:, None, None]
    covariance_SNN = part_S11 * inverse_SNN + (1 - part_S11) * 2 * prior_S11 * inverse_SNN @ inverse_SNN
    return [Fit(*one) for one in zip(skill_SN, covariance_SNN, evidence_S.tolist(), dispersion_S.tolist(), strict=True)]


def _derivatives(skill_SN: Array, wins_NN: Array, met_NN: Array, prior_S: Array) -> tuple[Array, Array]:
    """First and second derivatives of minus the log-probability of the results under each penalty: S x N and S x N x N."""
    import numpy as np

    chance_SNN = 1 / (1 + np.exp(np.clip(skill_SN[:, None, :] - skill_SN[:, :, None], -700, 700)))
    information_SNN = met_NN * chance_SNN * chance_SNN.transpose(0, 2, 1)
    slope_SN: Array = (met_NN * chance_SNN - wins_NN).sum(axis=2) + 2 * prior_S[:, None] * skill_SN
    return slope_SN, (information_SNN.sum(axis=2) + 2 * prior_S[:, None])[:, :, None] * np.eye(len(wins_NN)) - information_SNN


def _quantiles(weight_S: Array, mean_SN: Array, error_SN: Array) -> Array:
    """Where each candidate's mixture of normal distributions has as much mass below as each of them has below -Z and below Z: 2 x N."""
    import numpy as np

    erfc, error_SN, points = np.frompyfunc(math.erfc, 1, 1), np.maximum(error_SN, 1e-9), (-Z, Z)
    ends_2SN = np.stack([mean_SN + point * error_SN for point in points])
    low_2N, high_2N = ends_2SN.min(axis=1), ends_2SN.max(axis=1)
    mass_21 = np.array([[math.erfc(-point / math.sqrt(2))] for point in points])
    for _ in range(50 if len(weight_S) > 1 else 0):  # by bisection, between the ends of its parts
        middle_2N = (low_2N + high_2N) / 2
        below_2N = (weight_S @ erfc((mean_SN - middle_2N[:, None, :]) / (error_SN * math.sqrt(2)))).astype(float) < mass_21
        low_2N, high_2N = np.where(below_2N, middle_2N, low_2N), np.where(below_2N, high_2N, middle_2N)
    middle: Array = (low_2N + high_2N) / 2
    return middle
