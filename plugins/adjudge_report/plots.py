"""Draws the report's plots as SVG whose colours are the page's own variables, so that they follow its light and dark looks.

matplotlib knows no CSS variables: every colour is drawn as a placeholder value and named in the finished SVG.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = ("s0", "s1", "s2", "s3", "s4", "s5")
OUTCOMES = {"first": "o0", "second": "o1", "tie": "o2", "unreadable": "o3", "truncated": "o4", "failed": "o5"}
VARIABLES = ("ink", "muted", "line", *SERIES, *OUTCOMES.values())
COLOUR = {name: f"#0a0b{index:02x}" for index, name in enumerate(VARIABLES, 16)}
LINES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))
"""How lines are drawn: the second way when the colours are used up, and so on."""
MARGIN = 0.04
"""Inches around what is drawn."""
LEAST = 0.2
"""Share of the figure that is left to the axes, however long their labels are."""
MOST = 400
"""Points of a line."""
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": COLOUR["ink"],
    "axes.labelcolor": COLOUR["muted"],
    "axes.edgecolor": COLOUR["line"],
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLOUR["line"],
    "grid.linewidth": 0.7,
    "xtick.color": COLOUR["line"],
    "ytick.color": COLOUR["line"],
    "xtick.labelcolor": COLOUR["muted"],
    "ytick.labelcolor": COLOUR["muted"],
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


class Plot:
    """``with Plot(width, height, label) as plot: draw on plot.axes``, then `plot.svg`; sizes in inches."""

    def __init__(self, width: float, height: float, label: str) -> None:
        import matplotlib

        self.label = label
        self.style = matplotlib.rc_context({**STYLE, "svg.hashsalt": label})
        self.size = (width, height)
        self.svg = ""

    def __enter__(self) -> Plot:
        from matplotlib.figure import Figure

        self.style.__enter__()
        self.figure = Figure(figsize=self.size, facecolor="none")
        self.axes: Axes = self.figure.subplots()
        self.axes.set_facecolor("none")
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None:
                drawn = io.StringIO()
                with warnings.catch_warnings():
                    # Text stays text in the SVG and is shown in the page's fonts, so what this machine's font lacks does not matter.
                    warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
                    self._fit()
                    self.figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
                self.svg = _for_page(drawn.getvalue(), self.label)
        finally:
            self.style.__exit__(*error)

    def _fit(self) -> None:
        """Give the axes what their labels leave of the figure; matplotlib's own layouts draw it twice, most of what a page takes."""
        here, taken = self.axes.get_position(), self.axes.get_tightbbox(for_layout_only=True)
        assert taken is not None, "they are visible"
        (width, height), dpi = self.size, self.figure.dpi
        left, bottom = here.x0 + (MARGIN - taken.x0 / dpi) / width, here.y0 + (MARGIN - taken.y0 / dpi) / height
        right, top = here.x1 + (width - MARGIN - taken.x1 / dpi) / width, here.y1 + (height - MARGIN - taken.y1 / dpi) / height
        self.axes.set_position((min(left, right - LEAST), min(bottom, top - LEAST), max(right - left, LEAST), max(top - bottom, LEAST)))


def _for_page(svg: str, label: str) -> str:
    """SVG to stand inside HTML: no prolog, no fixed size, no ids that nothing refers to, and variables for colours."""
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda found: found.group() if found[1] in used else "", svg)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{_attribute(label)}">', svg, count=1)
    svg = svg.replace("'DejaVu Sans'", "var(--sans)")
    return re.sub("|".join(COLOUR.values()), lambda found: f"var(--{VARIABLES[list(COLOUR.values()).index(found.group())]})", svg).strip()


def _attribute(text: str) -> str:
    """Safe inside an attribute and inside a replacement pattern."""
    return re.sub(r"[^\w .,:–-]", " ", text)


def accuracy_plot(stages: Sequence[str], sets: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Accuracy with its interval by stage, a line for every set; `sets` is evaluation by set, then stage."""
    with Plot(4.4, 2.6, "Accuracy per stage with 95% intervals") as plot:
        axes = plot.axes
        for index, (name, by_stage) in enumerate(sets.items()):
            points = [(stages.index(stage), found) for stage, found in by_stage.items() if found.get("accuracy") is not None]
            places = [place + (index - (len(sets) - 1) / 2) * 0.07 for place, _ in points]
            shares = [100 * found["accuracy"] for _, found in points]
            bounds = [[100 * bound for bound in found["interval"]] for _, found in points]
            below = [share - low for share, (low, _) in zip(shares, bounds, strict=True)]
            above = [high - share for share, (_, high) in zip(shares, bounds, strict=True)]
            colour = COLOUR[SERIES[index % len(SERIES)]]
            axes.errorbar(places, shares, [below, above], color=colour, marker="o", markersize=4.5, elinewidth=1.2, capsize=2.5, label=name)
        axes.set_xticks(range(len(stages)), stages)
        axes.set_xlim(-0.35, len(stages) - 0.65)
        axes.set_ylabel("accuracy, %")
        axes.axhline(50, color=COLOUR["muted"], linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
        axes.set_ylim(min(45, axes.get_ylim()[0]), 101)
    return plot.svg


def step_plot(stage: str, title: str, unit: str, lines: Sequence[Sequence[tuple[int, float]]], *, share: bool = False) -> str:
    """A quantity over the steps of a stage, a line for every run: every step faintly, a running mean over a tenth of them in full.

    A share has all of its scale, from 0 to 100%.
    """
    with Plot(3.3, 2.2, f"{title[0].upper()}{title[1:]} over the steps of {stage}") as plot:
        for index, points in enumerate(lines):
            steps, values = [step for step, _ in points], [value * (100 if share else 1) for _, value in points]
            look: dict[str, Any] = {"color": COLOUR[SERIES[index % len(SERIES)]], "linestyle": LINES[index // len(SERIES) % len(LINES)]}
            means = _running_mean(values, max(1, len(values) // 10))
            plot.axes.plot(*_thinned(steps, values), **{**look, "alpha": 0.3, "linewidth": 1})
            plot.axes.plot(*_thinned(steps, means), **look)
        if share:
            plot.axes.set_ylim(-3, 103)
        plot.axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=False)
        plot.axes.locator_params(axis="x", integer=True, nbins=6)
        plot.axes.set_xlabel("step")
        plot.axes.set_ylabel(unit)
        plot.axes.set_title(title)
    return plot.svg


def _thinned(steps: Sequence[int], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Both as they are or, of very many steps, means of as many neighbours as leaves few enough to draw."""
    size = -(-len(steps) // MOST) or 1
    parts = [(steps[start : start + size], values[start : start + size]) for start in range(0, len(steps), size)]
    return [sum(part) / len(part) for part, _ in parts], [sum(part) / len(part) for _, part in parts]


def curve_plot(stage: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A policy's share of right answers, with its interval, and the judge's word on them, over the steps of one stage."""
    with Plot(4.4, 2.6, f"Right answers and the judge's word over the steps of {stage}") as plot:
        steps = [row["step"] for row in rows]
        lows, highs = zip(*((100 * low, 100 * high) for low, high in (row["interval"] for row in rows)), strict=True)
        plot.axes.fill_between(steps, lows, highs, color=COLOUR["s0"], alpha=0.18, linewidth=0)
        plot.axes.plot(steps, [100 * row["share_right"] for row in rows], color=COLOUR["s0"], marker="o", markersize=3.5)
        told = [(row["step"], 100 * row["judge"]) for row in rows if row["judge"] is not None]
        plot.axes.plot([step for step, _ in told], [share for _, share in told], color=COLOUR["s1"], marker="s", markersize=3.5)
        plot.axes.set_ylim(-3, 103)
        plot.axes.set_ylabel("% of answers")
        plot.axes.set_xlabel("step")
        plot.axes.locator_params(axis="x", integer=True)
        plot.axes.set_title(stage)
    return plot.svg


def _running_mean(values: Sequence[float], window: int) -> list[float]:
    """Mean of up to `window` values that end at each place."""
    sums = [0.0, *accumulate(values)]
    return [(sums[end] - sums[max(0, end - window)]) / min(end, window) for end in range(1, len(sums))]


def histogram(title: str, kept: Sequence[float], dropped: Sequence[float]) -> str:
    """How a score, or a part of it, is spread over kept and dropped paths, each as a share of its own paths."""
    with Plot(3.3, 2.2, f"Distribution of {title} for kept and dropped paths") as plot:
        low, high = min(map(min, filter(None, (kept, dropped)))), max(map(max, filter(None, (kept, dropped))))
        bins = [low + (high - low or 1.0) * step / 24 for step in range(25)]
        for values, name, zorder in ((dropped, "s1", 2), (kept, "s0", 3)):
            if values:
                share = [100 / len(values)] * len(values)
                look: dict[str, Any] = {"bins": bins, "weights": share, "color": COLOUR[name], "zorder": zorder}
                plot.axes.hist(values, histtype="stepfilled", alpha=0.28, **look)
                plot.axes.hist(values, histtype="step", linewidth=1.4, **look)
        plot.axes.set_title(title)
        plot.axes.locator_params(axis="x", nbins=5)
        plot.axes.set_ylabel("% of paths")
    return plot.svg


def outcome_plot(name: str, by_stage: Mapping[str, Mapping[str, float]]) -> str:
    """Every outcome's share of the judgements of one set, a bar for every stage, the first on top."""
    with Plot(4.4, 0.66 + 0.3 * len(by_stage), f"Outcome rates per stage on {name}") as plot:
        axes, stages = plot.axes, list(by_stage)
        starts = [0.0] * len(stages)
        for outcome, series in OUTCOMES.items():
            widths = [100 * by_stage[stage].get(outcome, 0.0) for stage in stages]
            axes.barh(stages, widths, left=starts, height=0.62, color=COLOUR[series], linewidth=0)
            starts = [start + width for start, width in zip(starts, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(False)
        axes.set_title(name)
        axes.set_xlabel("% of judgements")
        axes.spines["bottom"].set_visible(False)
    return plot.svg
