"""Writes a judge's health report as one self-contained page, from the figures that `adjudge health` measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from adjudge import write_whole

from .health_plots import attack_plot, calibration_plot, length_plot, reliability_plot, visible
from .page import template
from .plots import OUTCOMES
from .wording import number

TITLES = {
    "accuracy": "Accuracy",
    "position": "Position",
    "leans": "Leans",
    "length": "Length",
    "votes": "Votes",
    "calibration": "Calibration of its own probabilities",
    "members": "Who decides",
    "agreement": "Agreement of repeated samples",
    "reasoning": "Reasoning",
    "transitivity": "Several answers to one prompt",
    "corrected": "Wins without the judge's errors",
}
MEANINGS = {
    "accuracy": "Undecided judgements are not right. Kappa: Cohen's, the agreement with the labels beyond chance. Both orders: a"
    " problem's first sample is right whichever way it is shown.",
    "position": "A problem's first sample in both orders. Flipped: the verdict names the same place whatever stands there.",
    "leans": "The share of verdicts that go by this and not by the answers, whatever the judge's accuracy; below 0 it is shunned.",
    "length": "Of problems whose answers differ in length, in characters. The correlations are Pearson's, of the log ratio of the lengths"
    " with the preference for the first answer; the second one given which answer is right.",
    "votes": "All decided judgements of a problem are its votes. The calibration error is the mean distance of vote share and accuracy,"
    " and is too large where n is small.",
    "calibration": "Of judges that tell how sure they are. Brier: mean squared distance of the probability from the truth, 0.25 where it is"
    " always 1/2. Calibrated: with one temperature, fitted on the half of the problems that is not measured; the one named is of all.",
    "members": "Of a cascade, the share of judgements that each judge settled; of a panel of its verdicts those that each one voted for.",
    "agreement": "Samples of the same problem in the same order.",
    "reasoning": "S corr: of the right verdicts, those that rest on unsound reasoning.",
    "transitivity": "Circular triples: of three answers each beats another; a judge that draws lots has a quarter of them.",
    "corrected": "How often the first answer of unlabelled pairs is better, corrected by the labelled ones.",
}


def write_health(report: Mapping[str, Any], file: FilePath) -> FilePath:
    """Write the page and return its file."""
    facts = {
        "report": report,
        "ran": list(_what_ran(report)),
        "alarms": [one for one in report["findings"] if one["alarm"]],
        "looked_for": [one for one in report["findings"] if not one["alarm"]],
        "parts": [(title, meaning, rows) for title, meaning, rows in (*_own_parts(report), *_other_parts(report)) if rows],
        "outcomes": list(_rows({name: report["outcomes"][name] for name in OUTCOMES})),
        "bins": [one for one in report["votes"]["bins"] if one["n"]],
        "attacks": list(_attacks(report["probes"])) if report["probes"] else [],
        **_plots(report),
    }
    write_whole(file, template("health.html.jinja").render(**facts))
    return file


def _what_ran(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Model", report["model"] or "none: recorded judgements"
    if report["judge"]:
        yield "Judge", json.dumps(report["judge"], ensure_ascii=False)
    yield "Data", json.dumps(report["data"], ensure_ascii=False)
    for file in report.get("replay", ()):
        yield "Records", file
    yield "Problems", number(report["problems"])
    yield "Judgements", number(report["judgements"])
    yield "Mean tokens", number(report["mean_tokens"], 1)


def _rows(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The figures of a part that rest on something, under their names."""
    for name, found in part.items():
        if isinstance(found, Mapping) and found.get("n") and found["value"] is not None:
            yield name.replace("_", " "), found


def _own_parts(report: Mapping[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, Mapping[str, Any]]]]]:
    """Parts of the built-in probes, as far as these took part."""
    for part, title in TITLES.items():
        yield title, MEANINGS[part], list(_rows(report.get(part, {})))


def _other_parts(report: Mapping[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, Mapping[str, Any]]]]]:
    """Parts of probes that are no built-in ones, as far as they hold figures."""
    for name in report.keys() - TITLES.keys() - {"outcomes", "judge", "data", "probes"}:
        if isinstance(report[name], Mapping) and (rows := list(_rows(report[name]))):
            yield name.replace("-", " ").capitalize(), "", rows


def _attacks(probes: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Kind, text, how often the attacker's answer was preferred, and how often a verdict was turned where that can be told."""
    for text, found in probes["openers"].items():
        yield "opener", visible(text), found["chosen"], None
    yield "none", "the wrong answer as it is", probes["without"]["chosen"], probes["without"]["turned"]
    for text, found in probes["markup"].items():
        yield "markup", visible(text), found["chosen"], found["turned"]


def _plots(report: Mapping[str, Any]) -> dict[str, str]:
    points, probes = report["length"]["points"], report["probes"]
    calibration = report.get("calibration", {})
    turned = {text: found["turned"] for text, found in probes["markup"].items()} if probes else {}
    chosen = {text: found["chosen"] for text, found in probes["openers"].items()} if probes else {}
    return {
        "reliability": reliability_plot(report["votes"]["bins"]) if report["votes"]["majority"]["n"] else "",
        "calibration": calibration_plot(calibration["bins"], calibration.get("bins_calibrated", [])) if calibration.get("bins") else "",
        "lengths": length_plot(points) if points else "",
        "openers": attack_plot("opener preferred", chosen, 0.0) if probes else "",
        "markup": attack_plot("verdict turned", turned, probes["without"]["turned"]["value"]) if probes else "",
    }
