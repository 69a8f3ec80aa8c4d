"""Skills from results with ties, by Davidson's model of 1970: a tie is an outcome of its own, and no half of a win.

Counting a tie as half a win each way draws two candidates together that tie often, however clearly one wins where they do not: 7 wins and
3 losses with 10 ties are read as 12 : 8. Here the odds of a win against a loss are exp(difference of the skills), as in Bradley-Terry, and
a tie is as probable as nu times the geometric mean of the two; nu is found with the skills. A result may be fractional: a judge's
probability p that the first is better is p of a win and 1 - p of a loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from adjudge import Outcome

from .ratings import OPEN, Fit, Ratings, Result, averaged, bradley_terry

Array: TypeAlias = Any
"""A numpy array of 64-bit numbers; its name ends in its shape."""
USUAL = 0.01
"""Weight of the penalty prior x log(nu)^2 where the spread of skills is unknown; that of ties is not."""

# Shapes: N candidates, M matches, P = N + 1 parameters: the skills in nats, and the logarithm of nu.


def davidson(size: int, results: Sequence[Result], *, prior: float | None = USUAL) -> Ratings:
    """Skills of `size` candidates on the Elo scale, 400 points being odds of ten to one of a win against a loss, with 95% intervals.

    `prior` is the weight of the penalty prior x (sum(skill^2) + log(nu)^2), which keeps undefeated candidates, and results of ties alone,
    finite. With ``prior=None`` the spread of skills is unknown, as in `bradley_terry`: safe where earlier results chose the pairs. Without
    a tie it is Bradley-Terry's model. Raises `ValueError` for an outcome that is a failure of the judge."""
    import numpy as np

    shares = [(match.first, match.second, *_shares(outcome)) for match, outcome in results]
    if size < 2 or not any(tie for _, _, _, tie in shares):
        return bradley_terry(size, results, prior=prior)
    first_M, second_M, points_M, tie_M = (np.array(column, float) for column in zip(*shares, strict=True))
    sign_MP = np.zeros((len(shares), size + 1))  # of the log-odds of a win against a loss
    places = np.arange(len(shares))
    sign_MP[places, first_M.astype(int)], sign_MP[places, second_M.astype(int)] = 1.0, -1.0
    if prior is not None:
        known = max(prior, 1e-9)
        fit = _fit(sign_MP, points_M, tie_M, known, known)
        return averaged([known], [fit._replace(covariance_NN=fit.dispersion * fit.covariance_NN)])
    weight = 1 / _fit(sign_MP, points_M, tie_M, USUAL, USUAL).dispersion
    return averaged(OPEN, [_fit(sign_MP, points_M, tie_M, one, USUAL, weight) for one in OPEN])


def _shares(outcome: Any) -> tuple[float, float]:
    """The first one's points of the part that is decided, times that part, and the part that is a tie."""
    tie = 1.0 if outcome is Outcome.TIE else float(getattr(outcome, "tie", 0.0))
    return float(outcome.points) - tie / 2, tie


def _fit(sign_MP: Array, points_M: Array, tie_M: Array, prior: float, prior_of_ties: float, weight: float = 1.0) -> Fit:
    """The most probable skills by Newton's method, every match counting `weight` times, and how sure they are by the curvature there."""
    import numpy as np

    size = sign_MP.shape[1] - 1
    penalty_P = np.array([*[prior] * size, prior_of_ties])
    at_P = np.zeros(size + 1)
    for _ in range(200):
        slope_P, hessian_PP, variance_M, log_M = _derivatives(at_P, sign_MP, points_M, tie_M)
        slope_P, hessian_PP = weight * slope_P + 2 * penalty_P * at_P, weight * hessian_PP + 2 * np.diag(penalty_P)
        if np.abs(slope_P).max() < 1e-11 * (1 + len(points_M)):
            break
        step_P = np.linalg.solve(hessian_PP, slope_P)
        at_P = at_P - step_P * min(1, 2 / np.abs(step_P).max())
    surprise = float(penalty_P @ at_P**2 - weight * log_M.sum())
    evidence = size / 2 * math.log(2 * prior) - surprise - float(np.linalg.slogdet(hessian_PP)[1]) / 2
    fixed_PP = np.zeros_like(hessian_PP)
    fixed_PP[:size, :size] = 1 / size  # the mean of the skills is 0 by definition
    covariance_NN = np.linalg.inv(hessian_PP + fixed_PP)[:size, :size] - 1 / (size * (1 + 2 * prior))
    return Fit(at_P[:size] - at_P[:size].mean(), covariance_NN, evidence, _dispersion(points_M, tie_M, variance_M))


def _derivatives(at_P: Array, sign_MP: Array, points_M: Array, tie_M: Array) -> tuple[Array, Array, Array, Array]:
    """First and second derivatives of minus the log-probability of the results, the variance of every match's points, and that
    log-probability, match by match.

    The three outcomes have the weights exp(d/2), exp(-d/2) and nu, so the slope is what is expected less what was seen."""
    import numpy as np

    lead_M = sign_MP @ np.append(at_P[:-1], 0.0)
    log_MK = np.stack([lead_M / 2, -lead_M / 2, np.full_like(lead_M, at_P[-1])], axis=1)
    log_MK = log_MK - np.logaddexp.reduce(log_MK, axis=1)[:, None]
    win_M, _, tied_M = np.exp(log_MK).T
    seen_M, expected_M = points_M + tie_M / 2, win_M + tied_M / 2
    variance_M = win_M + tied_M / 4 - expected_M**2
    slope_P = sign_MP.T @ (expected_M - seen_M)
    slope_P[-1] = (tied_M - tie_M).sum()
    hessian_PP = (sign_MP * variance_M[:, None]).T @ sign_MP
    both_M = tied_M / 2 - expected_M * tied_M  # covariance of the points and of being a tie
    hessian_PP[-1, :], hessian_PP[:, -1] = sign_MP.T @ both_M, sign_MP.T @ both_M
    hessian_PP[-1, -1] = (tied_M * (1 - tied_M)).sum()
    lost_M = 1 - points_M - tie_M
    return slope_P, hessian_PP, variance_M, points_M * log_MK[:, 0] + lost_M * log_MK[:, 1] + tie_M * log_MK[:, 2]


def _dispersion(points_M: Array, tie_M: Array, variance_M: Array) -> float:
    """Variance of the results as a share of what it would be if each were one outcome: fractional ones vary less."""
    import numpy as np

    decided_M = np.maximum(1 - tie_M, 1e-12)
    fractional = float((decided_M * (points_M / decided_M) * (1 - points_M / decided_M)).sum())
    if fractional <= 1e-12:
        return 1.0
    matches = len(points_M)
    return (matches * (1 - fractional / max(fractional, float(variance_M.sum()))) + 1) / (matches + 1)
