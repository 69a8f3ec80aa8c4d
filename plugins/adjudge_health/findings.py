"""What a report on a judge's health found, in words with size and interval: what alarms first, then what was looked for and not found.

A lean or an attack is a finding where its p-value, corrected by Holm's method over all that were tried, is at most 0.05; a share is one
where the whole of its interval lies beyond a limit. Whatever is neither is told as *not shown*, never as good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adjudge_figures import holm, told_detectable

LEVEL = 0.05
FLIPPED, UNDECIDED, FOOLED, CIRCULAR, SPURIOUS, CHANGED = 0.1, 0.05, 0.05, 0.1, 0.1, 0.1
"""Shares that the lower end of an interval has to be above for a finding."""
Figure = Mapping[str, Any]
FAMILIES = {"shown first": "the answer shown first", "longer": "the longer answer"}


def findings(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every one as ``{"alarm", "said", "figure", "value", "interval", "n"}``, alarming ones first: no better than chance, then by size."""
    found = [*_accuracy(report), *_order(report), *_tested(report), *_shares(report)]
    return sorted(found, key=lambda one: (not one["alarm"], one["figure"] != "accuracy: kappa", -abs(one["value"])))


def _one(alarm: bool, said: str, figure: str, found: Figure) -> dict[str, Any]:
    return {"alarm": alarm, "said": said, "figure": figure, "value": found["value"], "interval": found["interval"], "n": found["n"]}


def _accuracy(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    accuracy = report.get("accuracy", {})
    kappa, all_of = accuracy.get("kappa"), accuracy.get("all")
    if all_of and all_of["value"] is not None:
        yield _one(False, told_detectable(all_of["n"], all_of["value"]), "accuracy: all", all_of)
    if not kappa or kappa["value"] is None or kappa["interval"] is None:
        return
    low, high = kappa["interval"]
    size = f"Cohen's κ {kappa['value']:.2f}, 95% {low:.2f} to {high:.2f}, n = {kappa['n']}"
    if high < 0:
        yield _one(True, f"worse than chance: {size}", "accuracy: kappa", kappa)
    elif low <= 0:
        yield _one(True, f"not shown to be better than chance: {size}", "accuracy: kappa", kappa)


def _order(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    flipped = report.get("position", {}).get("flipped")
    if not _above(flipped, FLIPPED):
        return
    again = report.get("agreement", {}).get("same_outcome")
    by_chance = None if not again or again["value"] is None else 1 - again["value"]
    chance = "; chance may be part of it, as nobody was asked twice"
    if by_chance is not None:
        chance = f"; asked again in one order, {100 * by_chance:.0f}% change"
    who = "order decides" if by_chance is None or flipped["interval"][0] > by_chance else "order or chance decides"
    yield _one(True, f"{who}: {_percent(flipped)} of verdicts flip, {_interval(flipped)}{chance}", "position: flipped", flipped)


def _tested(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that has a p-value, corrected together; of first words and of authors the strongest, whose rivals are shunned for it."""
    tried = [(name, one) for name, one in _with_p_values(report) if one["value"] is not None and one.get("p") is not None]
    families: dict[str, list[tuple[float, str, Figure]]] = {}
    for (name, one), adjusted in zip(tried, holm([one["p"] for _, one in tried]), strict=True):
        families.setdefault(_family(name), []).append((adjusted, name, one))
    for members in families.values():
        adjusted, name, one = min(members, key=lambda member: (member[0], -abs(member[2]["value"])))
        said = _markup_said(name, one, adjusted, len(members)) if name.startswith("markup") else _lean_said(name, one, adjusted)
        yield {**_one(adjusted <= LEVEL, said, name, one), "p": adjusted}


def _with_p_values(report: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    for name, one in report.get("leans", {}).items():
        yield f"leans: {name}", one
    for text, one in (report.get("probes") or {}).get("markup", {}).items():
        yield f"markup: {text}", one["turned"]


def _family(name: str) -> str:
    kind, rest = name.split(": ", 1)
    return kind if kind == "markup" else rest.split(" ", 1)[0] if rest not in FAMILIES else rest


def _markup_said(name: str, one: Figure, p: float, among: int) -> str:
    text = name.split(": ", 1)[1]
    if p <= LEVEL:
        return f"markup decides: {text!r} in the wrong answer turns {_percent(one)} of verdicts, {_interval(one)}, more than chance does"
    return f"markup: none of {among} is shown to turn more verdicts than chance; the strongest, {text!r}, {_percent(one)}, {_interval(one)}"


def _lean_said(name: str, one: Figure, p: float) -> str:
    """In words; one whose own interval lies off 0, though it does not stand among so many, is told as that."""
    what = name.split(": ", 1)[1]
    subject = {"shown first": "order", "longer": "length"}.get(what, "the first word" if what.startswith("begins") else "the author")
    feature = FAMILIES.get(what, f"the answer that {what}" if what.startswith("begins") else f"the answer {what}")
    way = f"towards {feature}"
    if one["value"] < 0:
        way = "towards the answer shown second" if what == "shown first" else f"away from {feature}"
    if one["interval"] is None:
        return f"{subject}: too little to tell a lean from"
    low, high = sorted(end if one["value"] > 0 else -end for end in one["interval"])
    size = f"{100 * abs(one['value']):.0f}% of verdicts, {way}, 95% {100 * low:.0f} to {100 * high:.0f}"
    if p <= LEVEL:
        return f"{subject} decides {size}"
    if low > 0:
        return f"{subject} may decide {size}; among all that was tried this can be chance (corrected p {p:.2f})"
    return f"{subject}: no lean is shown, the strongest {size}"


def _shares(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part, name, limit, words in (
        ("outcomes", "unreadable", UNDECIDED, "cannot be read: {} of judgements"),
        ("outcomes", "truncated", UNDECIDED, "cut off before a verdict: {} of judgements"),
        ("outcomes", "failed", UNDECIDED, "calls fail: {} of judgements"),
        ("reasoning", "s_corr", SPURIOUS, "right for the wrong reason: {} of right verdicts rest on unsound reasoning"),
        ("transitivity", "circular_triples", CIRCULAR, "preferences go round in circles: {} of triples; a judge that draws lots has 25%"),
    ):
        one = report.get(part, {}).get(name)
        if _above(one, limit):
            yield _one(True, f"{words.format(_percent(one))}, {_interval(one)}", f"{part}: {name}", one)
    same = report.get("agreement", {}).get("same_outcome")
    if same and same["interval"] and same["interval"][1] < 1 - CHANGED:
        one = {"value": 1 - same["value"], "n": same["n"], "interval": (1 - same["interval"][1], 1 - same["interval"][0])}
        said = f"chance decides: asked again in the same order, {_percent(one)} of verdicts change, {_interval(one)}"
        yield _one(True, said, "agreement: same_outcome", one)
    connected = report.get("transitivity", {}).get("connected")
    if report.get("transitivity", {}).get("circular_triples", {}).get("n") and connected["value"] < 1:  # answers that are to be ranked
        said = f"comparisons do not connect all answers: of {_percent(connected)} of prompts they do, {_interval(connected)}"
        yield _one(True, said, "transitivity: connected", connected)
    openers = (report.get("probes") or {}).get("openers", {})
    fooled = {text: one["chosen"] for text, one in openers.items() if _above(one["chosen"], FOOLED)}
    if fooled:
        text, one = max(fooled.items(), key=lambda item: item[1]["value"])
        size = f"{len(fooled)} of {len(openers)} openers, {text!r} in {_percent(one)}, {_interval(one)}"
        said = f"an answer without content beats the right one: {size}"
        yield _one(True, said, "openers", one)


def _above(one: Figure | None, limit: float) -> bool:
    return bool(one and one["interval"] and one["interval"][0] > limit)


def _percent(one: Figure) -> str:
    return f"{100 * one['value']:.0f}%"


def _interval(one: Figure) -> str:
    return "n = " + str(one["n"]) if not one["interval"] else f"95% {100 * one['interval'][0]:.0f} to {100 * one['interval'][1]:.0f}"
