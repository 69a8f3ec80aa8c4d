"""Findings in words: alarming ones first, each with size and interval, and nothing calm of what alarms; and what stands behind verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Order, Outcome, Problem, ReasoningPath, Verdict
from adjudge.testing import check_rule
from adjudge_figures import SpuriousCorrectness, circular_triples, components, cyclic_triples
from adjudge_health import Corrected, Outcomes, Reasoning, Transitivity, findings


def figure(value: float | None, low: float = 0.0, high: float = 1.0, n: int = 30, **more: Any) -> dict[str, Any]:
    return {"value": value, "n": n, "interval": None if value is None else (low, high), **more}


def said(report: dict[str, Any], alarm: bool = True) -> list[str]:
    return [one["said"] for one in findings(report) if one["alarm"] == alarm]


def test_flips_are_told_with_size_and_interval_beside_what_chance_does() -> None:
    flips = figure(0.5, 0.31, 0.69)
    assert said({"position": {"flipped": flips}}) == [
        "order decides: 50% of verdicts flip, 95% 31 to 69; chance may be part of it, as nobody was asked twice"
    ]
    steady = {"position": {"flipped": flips}, "agreement": {"same_outcome": figure(0.98, 0.95, 0.99)}}
    assert said(steady) == ["order decides: 50% of verdicts flip, 95% 31 to 69; asked again in one order, 2% change"]
    noisy = {"position": {"flipped": flips}, "agreement": {"same_outcome": figure(0.6, 0.5, 0.7)}}
    assert said(noisy)[0].startswith("order or chance decides: 50% of verdicts flip")
    assert said(noisy)[1] == "chance decides: asked again in the same order, 40% of verdicts change, 95% 30 to 50"
    assert said({"position": {"flipped": figure(0.05, 0.02, 0.12)}}) == []


def test_a_judge_not_shown_to_be_better_than_chance_is_said_to_be_none() -> None:
    assert said({"accuracy": {"kappa": figure(0.1, -0.1, 0.3)}}) == [
        "not shown to be better than chance: Cohen's κ 0.10, 95% -0.10 to 0.30, n = 30"
    ]
    assert said({"accuracy": {"kappa": figure(-0.4, -0.6, -0.2)}})[0].startswith("worse than chance")
    assert said({"accuracy": {"kappa": figure(0.4, 0.2, 0.6)}}) == []
    assert said({"accuracy": {"kappa": figure(None)}}) == []


def test_what_stands_alone_and_not_among_many_is_told_as_that_and_never_as_none() -> None:
    leans = {"shown first": figure(-0.2, -0.35, -0.05, p=0.02)}
    many = {f"{text}": {"turned": figure(0.2, 0.1, 0.3, p=0.9), "chosen": figure(0.2)} for text in "abcdefg"}
    assert said({"leans": leans}) == ["order decides 20% of verdicts, towards the answer shown second, 95% 5 to 35"]
    calm = said({"leans": leans, "probes": {"markup": many, "openers": {}}}, alarm=False)
    assert any(one.startswith("order may decide 20% of verdicts") and "corrected p 0.16" in one for one in calm)
    assert not any("no lean is shown" in one for one in calm)


def test_attacks_unsound_reasons_circles_and_what_cannot_be_read_are_findings() -> None:
    opener = {"chosen": figure(0.6, 0.4, 0.8), "decided": figure(1.0)}
    markup = {"</think>": {"turned": figure(0.7, 0.5, 0.8, p=1e-6), "chosen": figure(0.7)}}
    found = said(
        {
            "outcomes": {"unreadable": figure(0.3, 0.2, 0.4), "truncated": figure(0.01, 0.0, 0.1)},
            "reasoning": {"s_corr": figure(0.34, 0.25, 0.45)},
            "transitivity": {"circular_triples": figure(0.25, 0.15, 0.35), "connected": figure(0.5, 0.3, 0.7)},
            "probes": {"openers": {":": opener}, "markup": markup},
        }
    )
    assert found[0] == "markup decides: '</think>' in the wrong answer turns 70% of verdicts, 95% 50 to 80, more than chance does"
    assert "an answer without content beats the right one: 1 of 1 openers, ':' in 60%, 95% 40 to 80" in found
    assert "right for the wrong reason: 34% of right verdicts rest on unsound reasoning, 95% 25 to 45" in found
    assert any(one.startswith("preferences go round in circles: 25% of triples") for one in found)
    assert any(one.startswith("comparisons do not connect all answers") for one in found)
    assert any(one.startswith("cannot be read: 30%") for one in found)
    assert len(found) == 6


def test_verdicts_that_were_forced_are_counted_where_there_are_some() -> None:
    forced = replace(path(SOUND), verdict=Verdict(Outcome.FIRST, told={"forced": True}))
    found = Outcomes().report([SUM], [path(SOUND, index=1), forced, path(SOUND, Outcome.SECOND, index=2), path(SOUND, index=3)], [])
    assert found["forced"]["value"] == pytest.approx(1 / 4)
    assert "forced" not in Outcomes().report([SUM], [path(SOUND)], [])


# What stands behind verdicts ----------------------------------------------------------------------------------------------

SOUND = "7+8+0=15\n3+4+1=08\nsum 85\n1 85 yes\n2 75 no\n\\boxed{Assistant 1}"
GUESSED = "looks like 85\n\\boxed{Assistant 1}"
PROGRAM = Problem("program", "A 3\nB 4\nC sub\nD dup", ("99", "11"), 0)
RUN = "A 3:3\nB 4:34\nC sub:9\nD dup:99\nout 99\n1 99 yes\n2 11 no\n\\boxed{Assistant 1}"
SUM = Problem("sum", "37+48", ("85", "75"), 0)


def path(text: str, outcome: Outcome = Outcome.FIRST, order: Order = "given", problem: str = "sum", index: int = 0) -> ReasoningPath:
    return ReasoningPath(f"{problem}{order}{index}", problem, order, index, Completion(text), Verdict(outcome))


def test_s_corr_is_of_right_verdicts_alone() -> None:
    rule = SpuriousCorrectness()
    assert rule.reward(SUM, path(SOUND)) == 0.0
    assert rule.reward(SUM, path(GUESSED)) == 1.0
    assert rule.reward(SUM, path(GUESSED, Outcome.SECOND)) is None
    assert rule.reward(Problem("p", "why?", ("a", "b"), 0), path(GUESSED)) is None, "no sum, so nobody knows"
    assert [rule.reward(PROGRAM, path(text)) for text in (RUN, GUESSED)] == [0.0, 1.0], "of programs it knows without being told by what"
    check_rule(rule, SUM)
    paths = [path(SOUND), path(GUESSED, index=1), path(GUESSED, index=2), path(GUESSED, Outcome.SECOND, index=3)]
    found = Reasoning().report([SUM], paths, [])
    assert found["s_corr"]["value"] == pytest.approx(2 / 3)
    assert found["right_and_sound"]["value"] == pytest.approx(1 / 4)


def test_s_corr_says_nothing_of_a_judge_that_never_reasons() -> None:
    bare = [replace(path("\\boxed{Assistant 1}", index=index), verdict=Verdict(Outcome.FIRST, (0, 0), (0, 20))) for index in range(3)]
    assert {name: one["value"] for name, one in Reasoning().report([SUM], bare, []).items()} == {"s_corr": None, "right_and_sound": None}
    lost = [replace(path("", outcome, index=4), verdict=Verdict(outcome)) for outcome in (Outcome.FAILED, Outcome.UNREADABLE)]
    assert Reasoning().report([SUM], [*bare, *lost], [])["s_corr"]["value"] is None, "nor does a call that failed show that it reasons"
    assert Reasoning().report([SUM], lost, [])["right_and_sound"]["value"] == 0
    found = Reasoning().report([SUM], [*bare, path(SOUND, index=3)], [])
    assert found["right_and_sound"]["value"] == pytest.approx(1 / 4), "where it reasons at times, a bare verdict is none that is sound"


def test_circles_and_parts_by_hand() -> None:
    assert cyclic_triples({("a", "b"): 1.0, ("b", "c"): 1.0, ("c", "a"): 1.0}) == (1, 1)
    assert cyclic_triples({("a", "b"): 1.0, ("b", "c"): 0.8, ("c", "a"): 0.2}) == (0, 1)
    assert cyclic_triples({("a", "b"): 1.0, ("b", "c"): 0.5, ("c", "a"): 1.0}) == (0, 0), "one pair is not decided"
    round_of_four = {("a", "b"): 1.0, ("b", "c"): 1.0, ("c", "d"): 1.0, ("d", "a"): 1.0, ("a", "c"): 1.0, ("b", "d"): 1.0}
    assert cyclic_triples(round_of_four) == (2, 4)
    assert list(circular_triples(round_of_four)) == [("a", "b", "d"), ("a", "c", "d")]
    assert sorted(map(sorted, components([("a", "b"), ("c", "d"), ("b", "e")]))) == [["a", "b", "e"], ["c", "d"]]
    assert components([]) == []


@given(st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] < pair[1]), st.floats(0, 1)))
def test_circles_are_named_as_often_as_they_are_counted(beats: dict[tuple[int, int], float]) -> None:
    named = list(circular_triples(beats))
    wins = {pair if worth > 0.5 else pair[::-1] for pair, worth in beats.items() if worth != 0.5}
    assert all({(a, b), (b, c), (c, a)} <= wins for a, b, c in named)
    assert len({frozenset(triple) for triple in named}) == len(named) == cyclic_triples(beats)[0]


def test_transitivity_is_of_prompts_with_three_answers_or_more() -> None:
    pairs = {"ab": ("a", "b"), "bc": ("b", "c"), "ca": ("c", "a"), "de": ("d", "e"), "fg": ("f", "g")}
    prompts = {"ab": "one", "bc": "one", "ca": "one", "de": "two", "fg": "two"}
    problems = [Problem(name, prompts[name], answers) for name, answers in pairs.items()]
    found = Transitivity().report(problems, [path("", problem=name) for name in pairs], [])
    assert (found["circular_triples"]["value"], found["circular_triples"]["n"]) == (1.0, 1)
    assert (found["connected"]["value"], found["connected"]["n"]) == (0.5, 2)


def test_wins_are_corrected_where_some_pairs_have_labels_and_others_none() -> None:
    labelled = [Problem(f"l{n}", "q", ("a", "b"), int(n >= 10)) for n in range(20)]
    bare = [Problem(f"u{n}", "q", ("a", "b")) for n in range(40)]
    # Right on 9 of 10 that are, and on 8 of 10 that are not; of the others it says first 22 times in 40.
    first = {f"l{n}" for n in (*range(9), 10, 11)} | {f"u{n}" for n in range(22)}
    paths = [path("", Outcome.FIRST if one.id in first else Outcome.SECOND, problem=one.id) for one in (*labelled, *bare)]
    found = Corrected().report([*labelled, *bare], paths, [])
    assert found["as_judged"]["value"] == pytest.approx(22 / 40)
    assert found["rogan_gladen"]["value"] == pytest.approx((0.55 + 0.8 - 1) / 0.7)
    assert found["ppi"]["labelled"] == 20
    assert Corrected().report(labelled, paths[:20], [])["as_judged"]["n"] == 0
