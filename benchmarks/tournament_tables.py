"""Tables and plots from ``results/tournament_cost.json``; ``python benchmarks/tournament_tables.py`` makes them again without measuring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bench import RESULTS, table

FIELDS = {"P(best found)": "found", "tau to the round robin": "tau"}
DRAWN = ("round-robin", "knockout", "knockout best_of=3", "swiss", "active", "active aim=order")
HEAD = ["scheme", "comparisons", "P(best found)", "regret", "tau to round robin", "tau to truth", "intervals that hold", "ms"]


def write_tables(data: dict[str, Any]) -> None:
    """One Markdown file with every set, one with the aims, one with the votes, and the plot of the curves."""
    parts = {"tournament_cost": costs(data), "tournament_aims": aims(data), "tournament_votes": votes(data["voting"])}
    for name, text in parts.items():
        (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    plot(data["sets"])


def costs(data: dict[str, Any]) -> str:
    """A table for every set of groups."""
    parts = []
    for name, found in data["sets"].items():
        rows = [row_of(label, row) for label, row in by_cost(found["schemes"])]
        rows += [row_of(f"{label} (peer; rates the round robin of {row['n']} groups)", row) for label, row in found["peers"].items()]
        parts.append(f"**{name}**: {found['groups']} groups of {found['candidates']}.\n\n" + table(HEAD, rows))
    if data["absent_peers"]:
        parts.append("Not installed, and so not measured: " + ", ".join(data["absent_peers"]) + ".")
    return "\n\n".join(parts)


def by_cost(rows: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(rows.items(), key=lambda item: item[1]["comparisons"])


def row_of(label: str, row: dict[str, Any]) -> list[str]:
    low, high = row["found_interval"]
    best = f"{row['found']:.3f} ({low:.3f} to {high:.3f})"
    middle = [places(row[field]) for field in ("regret", "tau", "tau_truth", "held")]
    return [label, f"{row['comparisons']:.1f}", best, *middle, f"{1000 * row['seconds']:.1f}"]


def places(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def aims(data: dict[str, Any]) -> str:
    """What was aimed at, and whether each set reached it."""
    head = ["aim", "set", "measured", "reached"]
    found = sorted([*judged(data["sets"]), *judged_votes(data["voting"])], key=lambda row: row[0])
    return table(head, [[aim, name, text, "yes" if met else "**no**"] for aim, name, text, met in found])


def judged_votes(panels: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    for name, ways in panels.items():
        whole = ways["vote@9, early stop"]["right"]
        cheap = {way: row for way, row in ways.items() if way.startswith("confidence") and row["votes"] <= 4.5}
        way, best = max(cheap.items(), key=lambda item: item[1]["right"])
        text = f"{way}: {best['right']:.3f} on {best['votes']:.2f} votes against {whole:.3f}"
        yield "votes that stop early match vote@9, to half a point, on at most 4.5 votes", name, text, best["right"] >= whole - 0.005


def judged(sets: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    for name, found in sets.items():
        full = found["schemes"]["round-robin"]
        pairs = found["candidates"] * (found["candidates"] - 1) / 2
        if found["curves"]:
            top, order = found["curves"]["active"]["35%"], found["curves"]["active aim=order"]["50%"]
            text = f"{top['found']:.3f} against {full['found']:.3f}"
            yield "`active` finds the best as often as a round robin, on 35% of its comparisons", name, text, top["found"] >= full["found"]
            yield "`active aim=order` has tau 0.9 to the round robin on 50%", name, f"{order['tau']:.3f}", order["tau"] >= 0.9
        else:
            top = found["schemes"]["active"]
            text = f"{top['found']:.3f} on {top['comparisons'] / pairs:.0%} against {full['found']:.3f}"
            reached = top["found"] >= full["found"] and top["comparisons"] <= 0.35 * pairs + 1
            yield "`active` finds the best as often as a round robin, on 35% of its comparisons", name, text, reached
        knocked = found["schemes"]["knockout"]["comparisons"]
        yield "`knockout` takes N-1 comparisons", name, f"{knocked:g}", knocked == found["candidates"] - 1
        for label, row in found["schemes"].items():
            if row["held"] is not None:
                yield f"95% intervals of `{label}` hold 93 to 97%", name, places(row["held"]), 0.93 <= round(row["held"], 3) <= 0.97


def votes(found: dict[str, Any]) -> str:
    """What sequential voting saves, on real votes."""
    rows = [
        [panel, way, f"{row['votes']:.2f}", f"{row['right']:.3f} ({row['right_interval'][0]:.3f} to {row['right_interval'][1]:.3f})",
         places(row["as_all"])]
        for panel, ways in found.items() for way, row in ways.items()
    ]  # fmt: skip
    return table(["panel", "votes", "votes cast per pair", "majority is the label", "same verdict as its own longest vote"], rows)


def plot(sets: dict[str, Any]) -> None:
    """Curves over the budget: a column per set, a row per measure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = {name: found for name, found in sets.items() if found["curves"]}
    with matplotlib.rc_context({"svg.hashsalt": "adjudge", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = pyplot.subplots(len(FIELDS), len(drawn), figsize=(3 * len(drawn), 5), sharey="row", layout="constrained")
        for column, (name, found) in enumerate(drawn.items()):
            for row, (title, field) in enumerate(FIELDS.items()):
                draw(axes[row][column], found, field)
                axes[row][0].set_ylabel(title)
            axes[0][column].set_title(f"{name}, N = {found['candidates']}")
            axes[-1][column].set_xlabel("comparisons")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        figure.savefig(RESULTS / "tournament_cost.svg", metadata={"Date": None})
        pyplot.close(figure)


def draw(axes: Any, found: dict[str, Any], field: str) -> None:
    for label in (label for label in DRAWN if label in found["curves"]):
        points = found["curves"][label].values()
        axes.plot([point["comparisons"] for point in points], [point[field] for point in points], marker=".", label=label)
    axes.grid(visible=True, alpha=0.3)


if __name__ == "__main__":
    write_tables(json.loads((RESULTS / "tournament_cost.json").read_text(encoding="utf-8")))
