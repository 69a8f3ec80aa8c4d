"""Does the report on a judge's health find biases that were planted at a known strength, and none where there is none?

``python benchmarks/health_planted.py`` plants each bias at three strengths into judges of new pairs, many times over, and counts how often
the figure's interval holds the strength, how often the findings name the bias, and how often they name one that is not there. Minutes on
one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from bench import RESULTS, save, table

from adjudge import wilson
from adjudge_health import Biases, Leans, findings, planted_pairs, planted_paths

FIGURES = {"position": "shown first", "length": "longer", "first_word": "begins with 'certainly'", "own": "written by north"}
NAMES = {"position": "position", "length": "length", "first_word": "first word", "own": "self-preference"}
SUBJECTS = {"position": "order", "length": "length", "first_word": "the first word", "own": "the author"}
STRENGTHS = (0.1, 0.2, 0.4)


def reports(biases: Biases, pairs: int, reports: int) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Of so many judges of pairs of their own: the leans, and the subjects of the findings."""
    for seed in range(reports):
        problems = planted_pairs(pairs, seed)
        leans = Leans().report(problems, planted_paths(problems, biases, seed=seed), [])
        found = [one for one in findings({"leans": leans}) if one["alarm"]]
        yield leans, {name for name, subject in SUBJECTS.items() if any(one["said"].startswith(f"{subject} decides") for one in found)}


def planted(bias: str, strength: float, pairs: int, size: int) -> dict[str, Any]:
    """How one bias at one strength is measured and found."""
    known = list(reports(Biases(**{bias: strength}), pairs, size))
    figures = [leans[FIGURES[bias]] for leans, _ in known]
    return {
        "bias": bias,
        "strength": strength,
        "mean": fmean(one["value"] for one in figures),
        "holds": sum(one["interval"][0] <= strength <= one["interval"][1] for one in figures),
        "found": sum(bias in subjects for _, subjects in known),
        "others": sum(bool(subjects - {bias}) for _, subjects in known),
        "reports": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--reports", type=int, default=100, help="Judges for every bias and strength.")
    parser.add_argument("--pairs", type=int, default=200, help="Pairs that each of them judges, in both orders.")
    asked = parser.parse_args()
    found = [planted(bias, strength, asked.pairs, asked.reports) for bias in FIGURES for strength in STRENGTHS]
    clean = [subjects for _, subjects in reports(Biases(), asked.pairs, 2 * asked.reports)]
    unbiased = {"reports": len(clean), "alarms": sum(map(bool, clean))}
    save("health_planted", {"pairs": asked.pairs, "planted": found, "unbiased": unbiased})
    page = tables(found, unbiased)
    (RESULTS / "health_planted.md").write_text(page + "\n", encoding="utf-8")
    print(page)


def tables(found: list[dict[str, Any]], unbiased: dict[str, Any]) -> str:
    rows = [
        [
            NAMES[one["bias"]],
            f"{one['strength']:.1f}",
            f"{one['mean']:.3f}",
            *(share(one[key], one["reports"]) for key in ("holds", "found", "others")),
        ]
        for one in found
    ]
    rows.append(["none", "0.0", "–", "–", "–", share(unbiased["alarms"], unbiased["reports"])])
    return table(["planted bias", "strength", "mean found", "interval holds it", "named as a finding", "false alarm"], rows)


def share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count / n:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
