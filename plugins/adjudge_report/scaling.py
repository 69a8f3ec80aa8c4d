"""Draws accuracy over tokens, one plot for every judge: longer thinking as one line, and votes of each budget as lines of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge import write_whole

from .page import check_libraries, template
from .plots import COLOUR, SERIES, Plot


def write_scaling(found: Sequence[Mapping[str, Any]], file: FilePath) -> FilePath:
    """Write the page and return its file."""
    check_libraries("html", "jinja2", "matplotlib")
    judges = [(f"{one['judge']}, model {one['model']}", scaling_plot(one["points"]), one["points"]) for one in found]
    write_whole(file, template("scaling.html.jinja").render(judges=judges))
    return file


def scaling_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy, with its interval, over the tokens of a verdict, on a logarithmic axis; nothing where no tokens are told."""
    known = [point for point in points if point["tokens"]]
    if not known:
        return ""
    with Plot(5.6, 3.2, "Accuracy over the tokens of a verdict") as plot:
        single = sorted((point for point in known if point["votes"] == 1), key=lambda point: point["tokens"])
        _line(plot, single, "s0", "o", "longer thinking")
        for point in single:
            told = "no budget" if point["budget"] is None else str(point["budget"])
            place = (point["tokens"], 100 * point["accuracy"]["value"])
            plot.axes.annotate(told, place, (4, -9), textcoords="offset points", fontsize=7)
        voting = list(dict.fromkeys(point["budget"] for point in known if point["votes"] > 1))
        for series, budget in zip(SERIES[1:] * len(voting), voting, strict=False):
            told = "votes, no budget" if budget is None else f"votes, budget {budget}"
            _line(plot, [point for point in known if point["budget"] == budget], series, "s", told, dashed=True)
        plot.axes.set_xscale("log")
        plot.axes.set_xlabel("tokens of a verdict, all of its votes together")
        plot.axes.set_ylabel("accuracy, %")
        ticks = _ticks([point["tokens"] for point in known])
        plot.axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        plot.axes.minorticks_off()
        plot.axes.legend(frameon=False, fontsize=7, loc="best")
    return plot.svg


def _line(plot: Plot, points: Sequence[Mapping[str, Any]], series: str, marker: str, label: str, *, dashed: bool = False) -> None:
    values = [100 * point["accuracy"]["value"] for point in points]
    bounds = [[100 * end for end in point["accuracy"]["interval"] or (point["accuracy"]["value"],) * 2] for point in points]
    below = [max(0.0, value - low) for value, (low, _) in zip(values, bounds, strict=True)]
    above = [max(0.0, high - value) for value, (_, high) in zip(values, bounds, strict=True)]
    look: dict[str, Any] = {"color": COLOUR[series], "marker": marker, "label": label, "linestyle": "--" if dashed else "-"}
    places = [point["tokens"] for point in points]
    plot.axes.errorbar(places, values, [below, above], markersize=4, elinewidth=1.0, capsize=2, **look)


def _ticks(tokens: Sequence[float]) -> list[float]:
    """1, 2 and 5 times powers of ten around these numbers."""
    low, high = min(tokens), max(tokens)
    every = [step * 10.0**power for power in range(8) for step in (1, 2, 5)]
    inside = [tick for tick in every if low / 1.3 <= tick <= high * 1.3]
    return inside or [low]
