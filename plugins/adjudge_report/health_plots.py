"""Draws what a health report has to show: whether vote shares can be believed, length against preference, and what attacks achieve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .plots import COLOUR, Plot

LEVEL: dict[str, Any] = {"color": COLOUR["muted"], "linewidth": 0.9, "linestyle": (0, (2, 3)), "zorder": 1}
"""The line of what would be expected."""


def reliability_plot(bins: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy by the majority's share of the votes; a judge whose votes can be believed lies on the line."""
    filled = [one for one in bins if one["n"]]
    with Plot(3.6, 2.9, "Accuracy by the majority's share of the votes") as plot:
        shares = [100 * one["vote_share"] for one in filled]
        plot.axes.plot([50, 100], [50, 100], **LEVEL)
        _with_intervals(plot, shares, [one["accuracy"] for one in filled])
        for share, one in zip(shares, filled, strict=True):
            _count(plot, share, 100 * one["accuracy"]["value"], one["n"])
        plot.axes.set_xlabel("share of the votes for the majority, %")
        plot.axes.set_ylabel("majority right, %")
        plot.axes.set_ylim(-2, 102)
    return plot.svg


def calibration_plot(told: Sequence[Mapping[str, Any]], calibrated: Sequence[Mapping[str, Any]]) -> str:
    """Share right by the probability of the answer that was named, as it was told and with a temperature."""
    with Plot(3.6, 2.9, "Share right by the judge's own probability, before and after calibration") as plot:
        plot.axes.plot([50, 100], [50, 100], **LEVEL)
        for bins, series, marker, label in ((told, "s0", "o", "as told"), (calibrated, "s1", "s", "calibrated")):
            if bins:
                found = [{"value": one["right"], "interval": one["interval"]} for one in bins]
                _with_intervals(plot, [100 * one["confidence"] for one in bins], found, series, marker, label)
        for one in told:
            _count(plot, 100 * one["confidence"], 100 * one["right"], one["n"])
        if calibrated:
            plot.axes.legend(frameon=False, loc="upper left", fontsize=7)
        plot.axes.set_xlabel("probability of the answer that was named, %")
        plot.axes.set_ylabel("right, %")
        plot.axes.set_xlim(48, 102)
        plot.axes.set_ylim(-2, 102)
    return plot.svg


def _count(plot: Plot, place: float, value: float, count: int) -> None:
    """The number that a mark rests on, beside it and never on the axis below."""
    plot.axes.annotate(str(count), (place, value), (5, 4 if value < 12 else -9), textcoords="offset points", fontsize=7)


def _with_intervals(
    plot: Plot, places: Sequence[float], found: Sequence[Mapping[str, Any]], series: str = "s0", marker: str = "o", label: str | None = None
) -> None:
    values = [100 * one["value"] for one in found]
    bounds = [[100 * bound for bound in one["interval"] or (one["value"], one["value"])] for one in found]
    below = [max(0.0, value - low) for value, (low, _) in zip(values, bounds, strict=True)]
    above = [max(0.0, high - value) for value, (_, high) in zip(values, bounds, strict=True)]
    look: dict[str, Any] = {"color": COLOUR[series], "marker": marker, "label": label}
    plot.axes.errorbar(places, values, [below, above], markersize=4.5, elinewidth=1.2, capsize=2.5, **look)


def length_plot(points: Sequence[tuple[float, float]]) -> str:
    """Preference for the first answer by how much longer it is: one mark for every problem."""
    with Plot(3.6, 2.9, "Preference for the first answer by its relative length") as plot:
        ratios, liked = [ratio for ratio, _ in points], [100 * share for _, share in points]
        plot.axes.scatter(ratios, liked, color=COLOUR["s0"], s=10, alpha=0.4, linewidths=0)
        plot.axes.axvline(0, **LEVEL)
        plot.axes.locator_params(axis="x", nbins=5)  # such labels are long: −0.025
        plot.axes.set_xlabel("log of the first answer's length over the second's")
        plot.axes.set_ylabel("verdicts for the first, %")
        plot.axes.set_ylim(-4, 104)
    return plot.svg


def attack_plot(title: str, found: Mapping[str, Mapping[str, Any]], level: float | None) -> str:
    """How often each attack succeeds, with its interval, beside a line for how often it would be expected without.

    An attack of which no call came back has a name and no mark.
    """
    with Plot(4.6, 0.9 + 0.24 * len(found), title) as plot:
        for place, one in enumerate(found.values()):
            if one["value"] is None:
                continue
            low, high = one["interval"] or (one["value"], one["value"])
            plot.axes.plot([100 * low, 100 * high], [place, place], color=COLOUR["s4"], linewidth=1.2)
            plot.axes.plot([100 * one["value"]], [place], color=COLOUR["s4"], marker="o", markersize=4.5)
        if level is not None:
            plot.axes.axvline(100 * level, **LEVEL)
        plot.axes.set_yticks(range(len(found)), [seen if len(seen) <= 30 else seen[:29] + "…" for seen in map(visible, found)])
        plot.axes.invert_yaxis()
        plot.axes.set_xlim(-2, 102)
        plot.axes.set_xticks(range(0, 101, 25))
        plot.axes.set_xlabel("% of judgements")
        plot.axes.set_title(title)
    return plot.svg


def visible(text: str) -> str:
    """An attack's text so that its spaces and line ends can be seen."""
    return "space" if text == " " else text.replace("\n", "↵")
