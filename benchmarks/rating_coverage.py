"""How often 95% intervals of Bradley-Terry ratings hold the truth: by draws, spread of skills, matches, and where some are cut off.

The truth is what an interval of `bradley_terry` is about: the ratings that ever more of the same matches would come to. Draws are made by
Davidson's model, where half a win is only an approximation, and by a judge whose two orders disagree, where it is exact. Needs no model.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench import RESULTS, save, table

from adjudge import Match, Outcome, Ratings, bradley_terry

Array = Any
Z = 1.959963984540054
PRIORS = {"weak prior": 0.01, "open prior": None}

# Shapes: N candidates.


@dataclass(frozen=True)
class Setting:
    """One way to make groups of candidates and their matches."""

    name: str
    ties: float = 0.0
    """Davidson: the share of draws. Two orders: how far apart their noises are, 1 being two judgements and 0 one."""
    davidson: bool = False
    scale: float = 1.0
    """Standard deviation of skills in nats."""
    matches: int = 0
    """Between pairs drawn at random; 0 = a double round robin."""
    size: int = 12
    ahead: float = 0.0
    """By how many nats the first candidate is above all others."""
    parts: int = 1
    """Groups of candidates between which nobody plays."""
    aimed: bool = False
    """Whether 93 to 97% are aimed at."""


SETTINGS = [
    *(Setting(f"Davidson, {share:.0%} draws", share, davidson=True, aimed=True) for share in (0.0, 0.2, 0.4, 0.6, 0.8)),
    *(Setting(f"two orders, {noise:.0%} of their noise apart", noise, aimed=True) for noise in (0.25, 0.5, 1.0)),
    *(Setting(f"skills {scale:g} nats apart, {share:.0%} draws", share, True, scale) for scale in (0.25, 2.0, 4.0) for share in (0.0, 0.5)),
    *(Setting(f"{count} matches of 12, two orders", 1.0, matches=count) for count in (12, 24, 48)),
    *(Setting(f"{count} matches of 12, no draws", matches=count) for count in (12, 24, 48)),
    *(Setting(f"one wins nearly all, {name}", noise, ahead=6.0) for name, noise in (("no draws", 0.0), ("two orders", 1.0))),
    *(Setting(f"two groups apart, {name}", noise, parts=2) for name, noise in (("no draws", 0.0), ("two orders", 1.0))),
    Setting("four candidates, a round robin and back, two orders", 1.0, size=4),
]


def chances(setting: Setting, skill_N: Array) -> tuple[Array, Array]:
    """Probabilities that row beats column, and of a draw, N x N."""
    lead_NN = skill_N[:, None] - skill_N[None, :]
    if not setting.davidson:
        win_NN = 1 / (1 + np.exp(-lead_NN))
        tie_NN = setting.ties * 2 * win_NN * (1 - win_NN)
        return win_NN - tie_NN / 2, tie_NN
    odds_NN = 2 * np.cosh(lead_NN / 2)
    off = ~np.eye(len(skill_N), dtype=bool)
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if (middle / (odds_NN + middle))[off].mean() < setting.ties else (low, middle)
    return np.exp(lead_NN / 2) / (odds_NN + low), low / (odds_NN + low)


def pairs_of(setting: Setting, rng: np.random.Generator) -> list[Match]:
    """Who meets whom, without a look at any result."""
    pairs = [Match(i, j) for i in range(setting.size) for j in range(i) if i % setting.parts == j % setting.parts]
    return [pairs[number] for number in rng.integers(len(pairs), size=setting.matches)] if setting.matches else pairs * 2


def limit(matches: Sequence[Match], score_NN: Array) -> Array:
    """Skills that expected scores of these matches come to, with mean 0; by Newton's method with steps of at most 2 nats."""
    skill_N, met_NN = np.zeros(len(score_NN)), np.zeros_like(score_NN)
    for match in matches:
        met_NN[match.first, match.second] += 1
        met_NN[match.second, match.first] += 1
    for _ in range(100):
        chance_NN = 1 / (1 + np.exp(skill_N[None, :] - skill_N[:, None]))
        information_NN = met_NN * chance_NN * chance_NN.T
        slope_N = (met_NN * (chance_NN - score_NN)).sum(axis=1)
        step_N = np.linalg.pinv(np.diag(information_NN.sum(axis=1)) - information_NN, hermitian=True) @ slope_N
        skill_N = skill_N - step_N * min(1, 2 / np.abs(step_N).max())
        if np.abs(step_N).max() < 1e-9:
            return skill_N
    raise ArithmeticError("the limit was not found")


def curvature_alone(ratings: Ratings, matches: Sequence[Match], prior: float) -> Array:
    """Standard errors by the inverse of the curvature, as if a draw varied like a win or a loss; in Elo points."""
    skill_N, size = np.array(ratings.values) / ratings.SCALE, len(ratings.values)
    information_NN = np.zeros((size, size))
    for match in matches:
        one, other = match.first, match.second
        chance = 1 / (1 + math.exp(skill_N[other] - skill_N[one]))
        information_NN[one, other] += chance * (1 - chance)
        information_NN[other, one] += chance * (1 - chance)
    hessian_NN = np.diag(information_NN.sum(axis=1) + 2 * prior) - information_NN
    inverse_NN = np.linalg.inv(hessian_NN + 1 / size) - 1 / (size * (1 + 2 * prior))
    return ratings.SCALE * np.sqrt(inverse_NN.diagonal())


def one_group(setting: Setting, number: int) -> dict[str, Any]:
    """Of one group: the share of draws; for every kind of interval how many hold, and their mean width."""
    rng = np.random.default_rng([number, 20261128])
    skill_N = rng.normal(0, setting.scale, setting.size)
    skill_N[0] += setting.ahead
    win_NN, tie_NN = chances(setting, skill_N)
    matches = pairs_of(setting, rng)
    drawn = rng.random(len(matches))
    places = [(match.first, match.second) for match in matches]
    results = [(match, outcome(one, win_NN[at], tie_NN[at])) for match, at, one in zip(matches, places, drawn, strict=True)]
    skill_N = limit(matches, win_NN + tie_NN / 2) if setting.davidson else skill_N - skill_N.mean()
    truth_N = Ratings.MEAN + Ratings.SCALE * skill_N
    found: dict[str, Any] = {"ties": sum(outcome == Outcome.TIE for _, outcome in results) / len(results)}
    for name, prior in PRIORS.items():
        ratings = bradley_terry(setting.size, results, prior=prior)
        ends_N2 = np.array(ratings.intervals)
        found[name] = held(truth_N, ends_N2[:, 0], ends_N2[:, 1])
        found[f"{name}, differences"] = differences(setting, ratings, truth_N)
        if prior is not None:
            half_N, value_N = Z * curvature_alone(ratings, matches, prior), np.array(ratings.values)
            found["curvature alone"] = held(truth_N, value_N - half_N, value_N + half_N)
    return found


def outcome(drawn: float, win: float, tie: float) -> Outcome:
    return Outcome.FIRST if drawn < win else Outcome.TIE if drawn < win + tie else Outcome.SECOND


def held(truth: Array, low: Array, high: Array) -> tuple[float, float]:
    """The share of intervals that hold the truth, and their mean width."""
    return float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean())


def differences(setting: Setting, ratings: Ratings, truth_N: Array) -> tuple[float, float]:
    """The same for differences of two candidates between whom somebody plays, by the covariance."""
    covariance_NN, value_N = np.array(ratings.covariance), np.array(ratings.values)
    pairs = [(i, j) for i in range(setting.size) for j in range(i) if i % setting.parts == j % setting.parts]
    one, other = np.array(pairs).T
    half = Z * np.sqrt(covariance_NN[one, one] + covariance_NN[other, other] - 2 * covariance_NN[one, other])
    lead = value_N[one] - value_N[other]
    return held(truth_N[one] - truth_N[other], lead - half, lead + half)


def over_groups(setting: Setting, groups: int) -> dict[str, Any]:
    """Means over groups; what holds has a 95% interval over groups, for intervals of one group hang together."""
    rows = [one_group(setting, number) for number in range(groups)]
    found: dict[str, Any] = {"name": setting.name, "aimed": setting.aimed, "n": groups * setting.size}
    found["ties"] = float(np.mean([row["ties"] for row in rows]))
    for name in (name for name in rows[0] if name != "ties"):
        shares = np.array([row[name][0] for row in rows])
        found[name] = {
            "held": float(shares.mean()),
            "error": float(Z * shares.std(ddof=1) / math.sqrt(groups)),
            "width": float(np.mean([row[name][1] for row in rows])),
        }
    return found


def write_table(data: dict[str, Any]) -> None:
    kinds: dict[str, Callable[[dict[str, Any]], str]] = {
        "drawn": lambda row: f"{row['ties']:.0%}",
        "held": lambda row: f"{row['weak prior']['held']:.3f} ± {row['weak prior']['error']:.3f}",
        "width": lambda row: f"{row['weak prior']['width']:.0f}",
        "within 93 to 97%": lambda row: "" if not row["aimed"] else "yes" if 0.93 <= row["weak prior"]["held"] <= 0.97 else "**no**",
        "differences held": lambda row: f"{row['weak prior, differences']['held']:.3f}",
        "curvature alone: held": lambda row: f"{row['curvature alone']['held']:.3f}",
        "curvature alone: width": lambda row: f"{row['curvature alone']['width']:.0f}",
        "open prior: held": lambda row: f"{row['open prior']['held']:.3f} ± {row['open prior']['error']:.3f}",
        "open prior: width": lambda row: f"{row['open prior']['width']:.0f}",
    }
    rows = [[row["name"], *(cell(row) for cell in kinds.values())] for row in data["settings"]]
    text = f"{data['groups']} groups a row, of 12 candidates in a double round robin where nothing else is said; widths in Elo points.\n\n"
    (RESULTS / "rating_coverage.md").write_text(text + table(["groups", *kinds], rows) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--groups", type=int, default=400, help="simulated groups per row")
    options = parser.parse_args()
    start = time.perf_counter()
    settings = []
    for setting in SETTINGS:
        settings.append(over_groups(setting, options.groups))
        print(settings[-1]["name"], settings[-1]["weak prior"], settings[-1]["open prior"], flush=True)
    data = {"seconds": time.perf_counter() - start, "groups": options.groups, "settings": settings}
    save("rating_coverage", data)
    write_table(data)


if __name__ == "__main__":
    main()
